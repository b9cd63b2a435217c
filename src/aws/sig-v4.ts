/**
 * Signs every request with AWS Signature Version 4.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  OutgoingRequest,
  Secret,
} from '../credential.ts'
import { toHex } from '../encoding.ts'
import { CredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import {
  type AwsKeys,
  checkCredentials,
  describeCredentials,
  readCredentials,
} from './credentials.ts'
import { checkScope, type SigningScope, scopeOf } from './scope.ts'
import { authorize, loadSigner, type Signer, timestampOf } from './signer.ts'

/** How {@link awsSigV4} signs. */
export interface AwsSigV4Options {
  /** The region of the server, such as `us-west-2`. Default: the one in its host name. */
  readonly region?: string
  /**
   * The service's signing name, such as `bedrock-agentcore`, `execute-api` or `lambda`. Default: the one in
   * the server's host name.
   */
  readonly service?: string
  /**
   * The keys: long-lived ones, or a function that returns credentials and when they expire, such as
   * `fromNodeProviderChain()` of `@aws-sdk/credential-providers`. To replace credentials, it is called with
   * `{ forceRefresh: true }`.
   *
   * Default: the environment variables `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY` and, where it is
   * set, `AWS_SESSION_TOKEN`, read each time a credential is acquired.
   */
  readonly credentials?:
    | {
        /** The access key ID, which is not a secret. */
        readonly accessKeyId: Secret
        /** The secret access key; it is never sent. */
        readonly secretAccessKey: Secret
        /** The session token of temporary credentials. */
        readonly sessionToken?: Secret
      }
    | ((options?: {
        /** Whether to return new credentials, not those returned before. */
        forceRefresh?: boolean
      }) =>
        | {
            /** The access key ID. */
            readonly accessKeyId: string
            /** The secret access key; it is never sent. */
            readonly secretAccessKey: string
            /** The session token of temporary credentials. */
            readonly sessionToken?: string | undefined
            /** When they expire; they are renewed before that. */
            readonly expiration?: Date | undefined
          }
        | Promise<{
            /** The access key ID. */
            readonly accessKeyId: string
            /** The secret access key; it is never sent. */
            readonly secretAccessKey: string
            /** The session token of temporary credentials. */
            readonly sessionToken?: string | undefined
            /** When they expire; they are renewed before that. */
            readonly expiration?: Date | undefined
          }>)
}

/**
 * Signs each request, and each retry anew, with AWS Signature Version 4. Needs the package
 * `aws4fetch`: `npm install aws4fetch`.
 *
 * The signature covers the method, the path, the query, the SHA-256 of the body, and the headers `Host`,
 * `Content-Type`, `Mcp-*`, `X-Amz-*` and `X-Amzn-*`. It does not cover other headers, since `fetch` and
 * proxies add and change them, nor `X-Amzn-Trace-Id`, which load balancers rewrite.
 *
 * AWS refuses a wrong time, like everything else, with 403. The time is then taken from the response's
 * `Date`, and the request is sent once more. To also replace credentials that AWS refuses, pass
 * `retry: { statusCodes: [401, 403] }` to `withCredentials`.
 *
 * @returns A provider whose credentials throw `CredentialError` with the code
 * `unsignable_body` for a body whose bytes are not known before they are sent: a stream, a blob or
 * a multipart form. Acquiring one throws `ConfigurationError` when `aws4fetch` is not installed
 * or the host name contains no region and service, and `CredentialError` with the code
 * `secret_unavailable` when there are no keys.
 * @throws `ConfigurationError` when an option is unknown, empty or not allowed by AWS.
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { awsSigV4 } from 'mcp-credentials/aws'
 *
 * // With '@aws-sdk/credential-providers': credentials: fromNodeProviderChain()
 * const fromEnvironment = awsSigV4()
 * const explicit = awsSigV4({ region: 'us-west-2', service: 'bedrock-agentcore' })
 * const options = withCredentials(explicit)
 * ```
 */
export function awsSigV4(options: AwsSigV4Options = {}): CredentialProvider {
  checkOptions('awsSigV4', options, ['region', 'service', 'credentials'])
  checkScope(options)
  checkCredentials(options.credentials)
  const clocks = new WeakMap<Credential, Clock>()
  return {
    name: 'awsSigV4',
    source: describeCredentials(options.credentials),
    async acquire(context) {
      const scope = scopeOf(options, context.resource)
      const signer = await loadSigner()
      const { keys, expiresAt } = await readCredentials(options.credentials, context)
      const clock = (context.previous && clocks.get(context.previous)) ?? new Clock(context)
      const credential = {
        ...(expiresAt === undefined ? {} : { expiresAt }),
        ...signing(signer, keys, scope, clock),
      }
      clocks.set(credential, clock)
      return credential
    },
  }
}

function signing(
  signer: Signer,
  keys: AwsKeys,
  scope: SigningScope,
  clock: Clock,
): Pick<Credential, 'apply' | 'observe'> {
  const cache = new Map<string, ArrayBuffer>()
  return {
    async apply(request) {
      const { method, url, headers } = request
      headers.set('X-Amz-Content-Sha256', await hashOf(request))
      headers.set('X-Amz-Date', timestampOf(clock.timeFor(request)))
      if (keys.sessionToken === undefined) headers.delete('X-Amz-Security-Token')
      else headers.set('X-Amz-Security-Token', keys.sessionToken)
      const signed = new Headers([...headers].filter(([name]) => isSigned(name)))
      const value = await authorize(signer, { method, url, headers: signed, keys, scope, cache })
      headers.set('Authorization', value)
    },
    // A response with an `Age` comes from a cache, so its date is not current.
    observe: ({ status, headers }, request) =>
      (status === 401 || status === 403) &&
      !headers.has('Age') &&
      clock.learn(headers.get('Date'), request)
        ? 'resend'
        : undefined,
  }
}

function isSigned(header: string): boolean {
  return /^(?:content-type|mcp-.+|x-amz-.+|x-amzn-(?!trace-id$).+)$/.test(header)
}

async function hashOf({ streamed, body, url }: OutgoingRequest): Promise<string> {
  if (streamed) {
    throw new CredentialError(
      'unsignable_body',
      'awsSigV4: the body is a stream, a blob or a form, whose bytes are not known before they are sent.',
      { provider: 'awsSigV4', resource: url, remedy: 'Send a string or bytes instead.' },
    )
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', new Uint8Array(body ?? [])))
  return toHex(hash)
}

// AWS allows 5 minutes, some services 15. A smaller offset than this is caused by the network; an offset of
// more than a day means that a clock is wrong.
const smallestError = 60_000
const largestError = 86_400_000

/** AWS's time, as its refusals show it. The transport retries a request only after a 401. */
class Clock {
  readonly #now: () => number
  #offset: number | undefined

  constructor({ now }: AcquireContext) {
    this.#now = now
  }

  timeFor(request: OutgoingRequest): number {
    return this.#offset === undefined ? request.now : this.#now() + this.#offset
  }

  /** Takes the time from a `Date` header; `true` when the request was signed with a wrong time. */
  learn(date: string | null, request: OutgoingRequest): boolean {
    const signedAt = parseTimestamp(request.headers.get('X-Amz-Date'))
    const server = date === null ? Number.NaN : Date.parse(date)
    const error = Math.abs(server - signedAt)
    if (!(error >= smallestError && Math.abs(server - this.#now()) <= largestError)) return false
    this.#offset = server - this.#now()
    return true
  }
}

function parseTimestamp(text: string | null): number {
  return Date.parse(
    (text ?? '').replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'),
  )
}
