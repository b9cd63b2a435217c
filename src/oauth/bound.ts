/**
 * Values that only one authorization server may see. Only a connection to that server takes them out.
 *
 * @module
 */
export { type Bound, bind, fingerprintOf, readBound } from './bound-values.ts'
