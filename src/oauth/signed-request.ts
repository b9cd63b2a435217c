/**
 * Signed requests to an authorization server: with the client's assertion, and with proofs of possession.
 *
 * @module
 */
import type { AcquireContext } from '../credential.ts'
import type { DpopSession } from './dpop.ts'
import { formOf } from './endpoint.ts'
import { errorCodeOf, type ReadAnswer } from './endpoint-answer.ts'
import type { IssuerClock } from './issuer-clock.ts'

/** The signers of the requests of one connection. */
export interface RequestSigners {
  /** Replaces the client's assertion with a new one; `undefined`: it uses another method. */
  readonly authenticate:
    | ((body: URLSearchParams, headers: Headers) => void | Promise<void>)
    | undefined
  /** The key of the tokens; `undefined`: they are not bound to one. */
  readonly dpop: DpopSession | undefined
  readonly clock: IssuerClock
}

type Send = (url: URL, init: RequestInit) => Promise<ReadAnswer>

/**
 * Sends a request with a proof of possession where tokens are bound to a key. After a refusal the request is
 * repeated at most once with the server's nonce, and at most once with the server's time; each repetition is
 * signed again.
 *
 * @param isProven - Whether the endpoint expects a proof.
 * @see RFC 9449, sections 5 and 8
 */
export async function sendSigned(
  url: URL,
  init: RequestInit,
  isProven: boolean,
  signers: RequestSigners,
  context: Pick<AcquireContext, 'now' | 'serverNow'>,
  send: Send,
): Promise<ReadAnswer> {
  const { clock } = signers
  const dpop = isProven ? signers.dpop : undefined
  const corrected = new Set<Correction>()
  let request = init
  for (;;) {
    const usedMs = clock.offset(context)
    const sentAt = context.now()
    const headers = new Headers(request.headers)
    const proven = { url, method: init.method ?? 'POST', headers, now: sentAt + usedMs }
    await dpop?.prove(proven)
    const answer = await send(url, { ...request, headers })
    clock.observe(answer.headers, sentAt, context.now())
    const isNewNonce = dpop?.learnNonce(answer, proven) === true
    if (answer.ok) return answer
    const code = errorCodeOf(answer)
    const isTimed = isTimeRefusal(code, answer.status, signers.authenticate, dpop)
    const correction = correctionOf(code, isNewNonce, isTimed && clock.contradicts(usedMs))
    if (correction === undefined || corrected.has(correction)) return answer
    corrected.add(correction)
    request = await signedAnew(request, signers.authenticate)
  }
}

/** The correction in a repetition. */
type Correction = 'nonce' | 'time'

function correctionOf(
  code: string,
  isNewNonce: boolean,
  isWrongTime: boolean,
): Correction | undefined {
  if (isNewNonce && code === 'use_dpop_nonce') return 'nonce'
  return isWrongTime ? 'time' : undefined
}

/** Whether a refusal may be due to the time of a signature. */
function isTimeRefusal(
  code: string,
  status: number,
  authenticate: RequestSigners['authenticate'],
  dpop: DpopSession | undefined,
): boolean {
  if (dpop !== undefined && code === 'invalid_dpop_proof') return true
  const isClientRefused = code === 'invalid_client' || (code === '' && status === 401)
  return authenticate !== undefined && isClientRefused
}

async function signedAnew(
  request: RequestInit,
  authenticate: RequestSigners['authenticate'],
): Promise<RequestInit> {
  if (authenticate === undefined) return request
  const body = formOf(request)
  const headers = new Headers(request.headers)
  await authenticate(body, headers)
  return { ...request, headers, body }
}
