/**
 * Credentials that are not sent in headers.
 *
 * @module
 */
import type { Credential, CredentialProvider, OutgoingRequest, Secret } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import type { TransportPort } from '../manager/transport-port.ts'

/** Whether a value is a provider and not a secret. */
export function isProvider(value: Secret | CredentialProvider): value is CredentialProvider {
  return typeof value === 'object' && value !== null && typeof value.acquire === 'function'
}

/**
 * Checks a literal value.
 *
 * @param problemOf - Returns the problem of a text; `undefined`: none.
 * @throws {@link ConfigurationError} with the option, without the value.
 */
export function checkValue(
  option: string,
  value: Secret | CredentialProvider,
  problemOf: (text: string) => string | undefined,
): void {
  if (typeof value === 'function' || isProvider(value)) return
  const problem = typeof value === 'string' ? problemOf(value) : 'is missing'
  if (problem === undefined) return
  throw new ConfigurationError(
    option,
    `${option} ${problem}; pass a string, env('NAME') to read it on demand, or a provider.`,
  )
}

/**
 * Extracts the token of a credential: the value after `Authorization: Bearer`.
 *
 * @throws {@link CredentialError} with the code `invalid_credential` when it is not a bearer token.
 */
export async function bareToken(credential: Credential, port: TransportPort): Promise<string> {
  const scratch: OutgoingRequest = {
    method: 'POST',
    url: new URL(port.resource),
    headers: new Headers(),
    body: undefined,
    streamed: false,
    attempt: 1,
    signal: undefined,
    now: Date.now() + port.clockOffset,
  }
  try {
    await credential.apply(scratch)
  } catch (error) {
    if (isCredentialError(error)) throw error
    // The message of a failed Headers.set quotes the value, so it is not passed on.
    throw unusable(port, 'could not be read')
  }
  const token = /^bearer +(.+)$/i.exec(scratch.headers.get('Authorization') ?? '')?.[1]
  if (token === undefined) throw unusable(port, 'is not a bearer token')
  return token
}

function unusable({ provider, resource }: TransportPort, problem: string): CredentialError {
  return new CredentialError('invalid_credential', `${provider}: the credential ${problem}.`, {
    provider,
    resource,
    remedy: "Pass the secret itself, such as env('NAME'), or a provider of bearer tokens.",
  })
}
