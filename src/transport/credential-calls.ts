/**
 * Calls of a credential's functions, with a time limit and without foreign text in the errors.
 *
 * @module
 */
import type { Credential, CredentialProvider, FetchLike, OutgoingRequest } from '../credential.ts'
import {
  CredentialError,
  type CredentialErrorOptions,
  describeThrown,
  isCredentialError,
} from '../errors.ts'
import type { TransportPort } from '../manager/transport-port.ts'
import { abortable, withTimeLimit } from '../waiting.ts'
import type { Outgoing } from './outgoing.ts'

/** Shared by all requests of one manager. */
export interface Channel {
  /** The manager. */
  readonly port: TransportPort
  /** The network. */
  readonly send: FetchLike
  /** The clock, in milliseconds since the epoch. */
  readonly now: () => number
  /** Whether the events of this manager have a listener. */
  readonly observed: boolean
  /** The key by which a selector chose the manager. */
  readonly tenant: string | undefined
  /** Where the provider's secrets come from. */
  readonly source: CredentialProvider['source']
  /** Whether a final refusal is thrown, and not returned. */
  readonly throwOnRefusal: boolean
}

const timeLimitMs = 30_000

/** The context for errors. */
export function whereOf({ port, tenant }: Channel): CredentialErrorOptions {
  return { resource: port.resource, provider: port.provider, tenant }
}

/**
 * Puts a credential on a request.
 *
 * @returns `undefined` when that is done; a promise of at most 30 seconds when it is asynchronous.
 * @throws `CredentialError` with the code `invalid_credential` when the credential throws.
 */
export function applyCredential(
  channel: Channel,
  credential: Credential,
  request: OutgoingRequest,
  signal: AbortSignal | undefined,
): Promise<void> | undefined {
  let pending: void | Promise<void>
  try {
    pending = credential.apply(request)
  } catch (error) {
    throw notApplied(channel, error, signal)
  }
  return pending === undefined ? undefined : applied(channel, pending, signal)
}

async function applied(
  channel: Channel,
  pending: Promise<void>,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    await limited(channel, pending, 'was not put on the request', signal)
  } catch (error) {
    throw notApplied(channel, error, signal)
  }
}

function notApplied(channel: Channel, error: unknown, signal: AbortSignal | undefined): unknown {
  const remedy = 'Check that header names and values contain only characters that HTTP allows.'
  // This advice fits only the errors of `Headers`.
  const advice = error instanceof TypeError ? remedy : undefined
  return foreignError(channel, '`apply` threw', error, signal, advice)
}

/**
 * Passes a response to a credential, for at most 30 seconds.
 *
 * @throws `CredentialError` with the code `invalid_credential` when the credential throws.
 */
export async function observeResponse(
  channel: Channel,
  credential: Credential,
  response: Response,
  request: Outgoing,
  signal: AbortSignal | undefined,
): Promise<'resend' | 'renew' | undefined> {
  try {
    const observing = credential.observe?.(response, request)
    const isPending = typeof observing === 'object' && observing !== null
    const result = isPending
      ? await limited(channel, observing, 'did not finish with the response', signal)
      : observing
    return result === 'resend' || result === 'renew' ? result : undefined
  } catch (error) {
    throw foreignError(channel, '`observe` threw', error, signal)
  }
}

function limited<T>(
  channel: Channel,
  pending: Promise<T>,
  what: string,
  signal: AbortSignal | undefined,
): Promise<T> {
  const tooLate = () => {
    const message = `${channel.port.provider}: the credential ${what} within ${timeLimitMs / 1000} s.`
    return new CredentialError('timeout', message, { ...whereOf(channel), retryable: true })
  }
  const { closing } = channel.port
  return withTimeLimit(
    timeLimitMs,
    undefined,
    (limit) => abortable(pending, limit, signal, closing),
    tooLate,
  )
}

/**
 * Makes the error for a credential that throws. The original message may quote the secret, as that of a failed
 * `Headers.set` does.
 */
function foreignError(
  channel: Channel,
  what: string,
  error: unknown,
  signal: AbortSignal | undefined,
  remedy?: string,
): unknown {
  if (isCredentialError(error)) return error
  if (signal?.aborted === true) return signal.reason
  const kind = describeThrown(error)
  return new CredentialError('invalid_credential', `${channel.port.provider}: ${what} (${kind}).`, {
    ...whereOf(channel),
    ...(remedy === undefined ? {} : { remedy }),
  })
}
