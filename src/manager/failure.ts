/**
 * Sorts whatever a provider threw into the classes that the manager treats differently.
 *
 * @module
 */
import { CredentialError, describeThrown, isCredentialError, systemErrorCode } from '../errors.ts'

/** Codes of errors that prove that a request never left, so that it can be repeated freely. */
const notSent: ReadonlySet<string> = new Set([
  'BLOCKED_PORT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ECONNREFUSED',
  'ENETUNREACH',
  'ENETDOWN',
  'EHOSTUNREACH',
  'EHOSTDOWN',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
])

/**
 * Turns any thrown value into an error of ours. Foreign errors are not kept as `cause`: they may
 * quote a response that holds a token.
 *
 * @param committed - A single-use grant had been sent, so it is not known whether it was used.
 */
export function toCredentialError(
  thrown: unknown,
  provider: string,
  resource: URL,
  committed: boolean,
): CredentialError {
  if (isCredentialError(thrown)) return thrown
  const where = { provider, resource }
  const systemCode = systemErrorCode(thrown)
  if (systemCode !== undefined && notSent.has(systemCode)) {
    return new CredentialError(
      'network',
      `${provider}: the server that issues the credential cannot be reached (${systemCode}).`,
      { ...where, retryable: true, remedy: 'Check the network and the address.' },
    )
  }
  const what = describeThrown(thrown)
  if (committed) {
    return new CredentialError(
      'outcome_unknown',
      `${provider}: the answer to a token request was lost (${what}).`,
      { ...where, retryable: true },
    )
  }
  if (thrown instanceof Error && thrown.name === 'TimeoutError') {
    return new CredentialError('timeout', `${provider}: no credential came in time.`, {
      ...where,
      retryable: true,
      remedy: 'Raise `acquireTimeout`, or see what the provider waits for.',
    })
  }
  return new CredentialError(
    systemCode === undefined ? 'acquire_failed' : 'network',
    `${provider}: no credential could be acquired (${what}).`,
    {
      ...where,
      retryable: true,
      // Whatever else it says may quote a secret, as `Headers` does.
      ...(systemCode === undefined
        ? { remedy: 'A provider that throws a CredentialError can say more.' }
        : {}),
    },
  )
}

/** The same error for a later caller, who learns how long no attempt is made. */
export function coolingError(first: CredentialError, waitMs: number): CredentialError {
  const retryAfter = Math.ceil(waitMs / 1000)
  return copyError(first, {
    message: {
      value: `${first.message} Nothing is tried for ${retryAfter} s; \`login()\` tries at once.`,
      configurable: true,
      writable: true,
    },
    retryAfter: { value: retryAfter, enumerable: true },
    cause: { value: first, configurable: true },
  })
}

/** The same error with the key of the selector; a provider may throw one error for several keys. */
export function withTenant(error: CredentialError, tenant: string | undefined): CredentialError {
  if (tenant === undefined || error.tenant !== undefined) return error
  return copyError(error, { tenant: { value: tenant, enumerable: true } })
}

function copyError(first: CredentialError, changes: PropertyDescriptorMap): CredentialError {
  const error: CredentialError = Object.create(Object.getPrototypeOf(first) as object, {
    ...Object.getOwnPropertyDescriptors(first),
    ...changes,
  }) as CredentialError
  Object.defineProperty(error, 'stack', {
    value: new Error(error.message).stack?.replace(/^Error/, first.name),
    configurable: true,
  })
  return error
}
