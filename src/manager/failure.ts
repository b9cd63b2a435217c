/**
 * Maps the errors of providers to the classes that the manager distinguishes.
 *
 * @module
 */
import { CredentialError, describeThrown, isCredentialError, systemErrorCode } from '../errors.ts'

/** Codes of errors that prove that a request was not sent, so that it can be repeated safely. */
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
 * Maps any thrown value to a {@link CredentialError}. Foreign errors are not kept as `cause`: they may quote
 * a response that contains a token.
 *
 * @param committed - Whether a single-use grant was sent, so that it is not known whether the renewal succeeded.
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
      { ...where, retryable: true, systemCode, remedy: 'Check the network and the address.' },
    )
  }
  const what = describeThrown(thrown)
  if (committed) {
    return new CredentialError(
      'outcome_unknown',
      `${provider}: the response to a token request was lost (${what}).`,
      { ...where, retryable: true },
    )
  }
  if (thrown instanceof Error && thrown.name === 'TimeoutError') {
    return new CredentialError('timeout', `${provider}: no credential was received in time.`, {
      ...where,
      retryable: true,
      remedy: 'Raise `acquireTimeout`, or check what the provider waits for.',
    })
  }
  return new CredentialError(
    systemCode === undefined ? 'acquire_failed' : 'network',
    `${provider}: no credential could be acquired (${what}).`,
    {
      ...where,
      retryable: true,
      // Other messages may quote a secret, as those of `Headers` do.
      ...(systemCode === undefined
        ? { remedy: 'Throw a CredentialError in the provider to give details.' }
        : {}),
    },
  )
}

/** Returns the same error for a later caller, with the time until the next attempt. */
export function coolingError(first: CredentialError, waitMs: number): CredentialError {
  const retryAfter = Math.ceil(waitMs / 1000)
  return copyError(first, {
    message: {
      value: `${first.message} The next attempt is possible in ${retryAfter} s; \`login()\` tries immediately.`,
      configurable: true,
      writable: true,
    },
    retryAfter: { value: retryAfter, enumerable: true },
    cause: { value: first, configurable: true },
  })
}

/** Returns the same error with the key of the selector; a provider may throw one error for several keys. */
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
