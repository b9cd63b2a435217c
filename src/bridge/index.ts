/**
 * Bridges between clients that cannot authenticate and servers that require it.
 *
 * @module
 */
export { type Bridge, type BridgeOptions, bridge } from './http-bridge.ts'
export type { LoginOffer, LoginRequest, OnLoginRequired } from './login-offers.ts'
export type { CommonBridgeOptions } from './options.ts'
export { type StdioBridge, type StdioBridgeOptions, stdioBridge } from './stdio-bridge.ts'
