/**
 * Values that only one authorization server may receive. Only a connection to that server can read them.
 *
 * @module
 */
export { type Bound, bind, fingerprintOf, readBound } from './bound-values.ts'
