/**
 * What the core must do on every platform. It needs no runner, so that runtimes other than Node can play it.
 *
 * @module
 */
import type { RuntimeCase } from './case.ts'
import { credentialCases } from './credential-cases.ts'
import { requestCases, secrecyCases } from './request-cases.ts'
import { transportCases } from './transport-cases.ts'

/** All of them, in the order in which they are played. */
export const cases: readonly RuntimeCase[] = [
  ...credentialCases,
  ...transportCases,
  ...requestCases,
  ...secrecyCases,
]
