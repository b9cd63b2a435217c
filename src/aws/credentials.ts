/**
 * The sources of the keys for AWS signatures.
 *
 * @module
 */
import type { AcquireContext, Secret } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, describeSecret, env, headerValueProblem, readSecret } from '../secret.ts'

/** The keys that sign. */
export interface AwsKeys {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
}

/** Long-lived AWS keys, or temporary ones that are replaced externally. */
interface AwsSecrets {
  readonly accessKeyId: Secret
  readonly secretAccessKey: Secret
  readonly sessionToken?: Secret
}

/** Credentials as the AWS SDK for JavaScript returns them (`AwsCredentialIdentity`). */
interface AwsCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string | undefined
  readonly expiration?: Date | undefined
}

type Source =
  | AwsSecrets
  | ((options?: { forceRefresh?: boolean }) => AwsCredentials | Promise<AwsCredentials>)

const option = 'awsSigV4.credentials'

/**
 * Checks the credentials in the options.
 *
 * @throws {@link ConfigurationError} that names the member, and not its value.
 */
export function checkCredentials(source: Source | undefined): void {
  if (source === undefined || typeof source === 'function') return
  checkOptions(option, source, ['accessKeyId', 'secretAccessKey', 'sessionToken'])
  const { accessKeyId, secretAccessKey, sessionToken } = source
  checkSecret(`${option}.accessKeyId`, accessKeyId)
  checkSecret(`${option}.secretAccessKey`, secretAccessKey)
  if (sessionToken !== undefined) checkSecret(`${option}.sessionToken`, sessionToken)
  const problem = typeof accessKeyId === 'string' ? keyIdProblem(accessKeyId) : undefined
  if (problem === undefined) return
  throw new ConfigurationError(`${option}.accessKeyId`, `${option}.accessKeyId ${problem}.`)
}

/** Describes where credentials come from, never their values. */
export function describeCredentials(source: Source | undefined): string {
  if (source === undefined) return "env('AWS_SECRET_ACCESS_KEY')"
  return describeSecret(typeof source === 'function' ? source : source.secretAccessKey)
}

/**
 * Reads credentials, and when they expire, in milliseconds since the epoch.
 *
 * @throws {@link CredentialError} with the code `secret_unavailable` when there are none, and
 * `invalid_response` when the function returned something else.
 */
export async function readCredentials(
  source: Source | undefined,
  { reason, signal }: Pick<AcquireContext, 'reason' | 'signal'>,
): Promise<{ readonly keys: AwsKeys; readonly expiresAt?: number }> {
  if (source === undefined) return { keys: await readEnvironment(signal) }
  if (typeof source !== 'function') return { keys: await readSecrets(source, signal) }
  const found = await source(reason === 'missing' ? {} : { forceRefresh: true })
  const keys = keysOf(found)
  const { expiration } = found
  if (expiration === undefined) return { keys }
  const expiresAt = expiration instanceof Date ? expiration.getTime() : Number.NaN
  if (Number.isNaN(expiresAt)) throw invalid('an `expiration` that is not a valid Date')
  return { keys, expiresAt }
}

async function readSecrets(source: AwsSecrets, signal: AbortSignal): Promise<AwsKeys> {
  const { sessionToken } = source
  const [accessKeyId, secretAccessKey, token] = await Promise.all([
    readSecret(`${option}.accessKeyId`, source.accessKeyId, { signal, problemOf: keyIdProblem }),
    readSecret(`${option}.secretAccessKey`, source.secretAccessKey, { signal }),
    sessionToken === undefined
      ? undefined
      : readSecret(`${option}.sessionToken`, sessionToken, { signal }),
  ])
  return { accessKeyId, secretAccessKey, ...(token === undefined ? {} : { sessionToken: token }) }
}

async function readEnvironment(signal: AbortSignal): Promise<AwsKeys> {
  const sessionToken = await env('AWS_SESSION_TOKEN')().catch(() => undefined)
  try {
    const source = {
      accessKeyId: env('AWS_ACCESS_KEY_ID'),
      secretAccessKey: env('AWS_SECRET_ACCESS_KEY'),
      ...(sessionToken === undefined ? {} : { sessionToken }),
    }
    return await readSecrets(source, signal)
  } catch (error) {
    if (!isCredentialError(error)) throw error
    throw new CredentialError(error.code, error.message, {
      retryable: error.retryable,
      provider: 'awsSigV4',
      remedy:
        'Or pass a function as `credentials`, such as fromNodeProviderChain() of @aws-sdk/credential-providers.',
    })
  }
}

function keysOf(found: AwsCredentials): AwsKeys {
  if (typeof found !== 'object' || found === null) throw invalid('no credentials')
  const { accessKeyId, secretAccessKey, sessionToken } = found
  if (typeof accessKeyId !== 'string' || keyIdProblem(accessKeyId) !== undefined) {
    throw invalid('no usable `accessKeyId`')
  }
  if (!isUsable(secretAccessKey)) throw invalid('no usable `secretAccessKey`')
  if (sessionToken === undefined) return { accessKeyId, secretAccessKey }
  if (!isUsable(sessionToken)) throw invalid('no usable `sessionToken`')
  return { accessKeyId, secretAccessKey, sessionToken }
}

// The ID is sent with every request. A secret key in its place almost always contains a `/` or a `+`, or
// differs in length.
function keyIdProblem(value: string): string | undefined {
  if (value === '') return 'is empty'
  return /^\w{1,128}$/.test(value) && value.length !== 40
    ? undefined
    : 'is not an access key ID, such as AKIAIOSFODNN7EXAMPLE; it may be the secret key.'
}

function isUsable(value: unknown): value is string {
  return typeof value === 'string' && headerValueProblem(value) === undefined
}

function invalid(what: string): CredentialError {
  return new CredentialError('invalid_response', `awsSigV4: \`credentials\` returned ${what}.`, {
    provider: 'awsSigV4',
    remedy: 'Return { accessKeyId, secretAccessKey, sessionToken, expiration }.',
  })
}
