/**
 * The adapter for the package `aws4fetch`.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import type { AwsKeys } from './credentials.ts'
import type { SigningScope } from './scope.ts'

/** The part of `aws4fetch` that is used. Not its own types, because the package may be missing. */
export type Signer = new (options: {
  method: string
  url: string
  headers: Headers
  body?: string
  accessKeyId: string
  secretAccessKey: string
  sessionToken?: string
  service: string
  region: string
  cache: Map<string, ArrayBuffer>
  datetime: string
  allHeaders: boolean
}) => { authHeader(): Promise<string> }

/** What to sign, and the keys. */
export interface Signing {
  readonly method: string
  readonly url: URL
  /** The signed headers besides `Host`, including `X-Amz-Date`. */
  readonly headers: Headers
  /** The body, where no header contains its hash. */
  readonly body?: string
  readonly keys: AwsKeys
  readonly scope: SigningScope
  /** Caches derived keys. */
  readonly cache: Map<string, ArrayBuffer>
}

/**
 * Loads `aws4fetch`.
 *
 * @throws {@link ConfigurationError} when it is not installed.
 */
export async function loadSigner(
  load: () => Promise<{ readonly AwsV4Signer: Signer }> = () => import('aws4fetch'),
): Promise<Signer> {
  try {
    return (await load()).AwsV4Signer
  } catch {
    throw new ConfigurationError('awsSigV4', 'awsSigV4 needs the package aws4fetch.', {
      provider: 'awsSigV4',
      remedy: 'Run `npm install aws4fetch`.',
    })
  }
}

/** The value of the header `Authorization`. */
export function authorize(signer: Signer, signing: Signing): Promise<string> {
  const { method, url, headers, body, keys, scope, cache } = signing
  return new signer({
    ...keys,
    ...scope,
    ...(body === undefined ? {} : { body }),
    method,
    url: url.href,
    headers,
    cache,
    datetime: headers.get('X-Amz-Date') ?? '',
    // The headers have already been selected.
    allHeaders: true,
  }).authHeader()
}

/** A moment in milliseconds since the epoch, as `20150830T123600Z`. */
export function timestampOf(time: number): string {
  return new Date(time).toISOString().replace(/[:-]|\.\d{3}/g, '')
}
