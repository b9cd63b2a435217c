/**
 * Client ID metadata documents.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'

const name = 'clientMetadataDocument'

/**
 * Checks the URL of a client ID metadata document.
 *
 * @throws `ConfigurationError` when it is not https with a path, or has a fragment, dot segments
 * or user information.
 * @see draft-ietf-oauth-client-id-metadata-document, section 3
 */
export function checkClientMetadataUrl(option: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const fits =
    url?.protocol === 'https:' &&
    url.pathname !== '/' &&
    url.hash === '' &&
    !text.includes('#') &&
    url.username === '' &&
    url.password === '' &&
    !/\/\.{1,2}(?:[/?#]|$)/.test(text)
  if (fits) return
  throw new ConfigurationError(
    option,
    `${option} must be an https URL with a path and without fragment, dot segments or user name, such as https://app.example.com/client.json.`,
  )
}

/** The input of {@link clientMetadataDocument}. */
type ClientDescription = Parameters<typeof clientMetadataDocument>[1]

/**
 * Returns the client ID metadata document for `url`; publish it there as JSON.
 *
 * With `jwks` or `jwksUri` the client authenticates with a key: pass `clientAuth: privateKeyJwt({ key })` to
 * `authorizationCode`. The document is public and contains no secret.
 *
 * @throws `ConfigurationError` when an option is invalid, or a key is not public.
 * @see draft-ietf-oauth-client-id-metadata-document, section 4
 *
 * @example
 * ```ts
 * import { clientMetadataDocument } from 'mcp-credentials/oauth'
 *
 * const url = 'https://app.example.com/client.json'
 * const document = clientMetadataDocument(url, {
 *   clientName: 'Example agent',
 *   redirectUris: ['https://app.example.com/callback'],
 * })
 * console.log(JSON.stringify(document)) // publish this at the URL
 * ```
 * @group Client authentication
 */
export function clientMetadataDocument(
  url: string,
  description: {
    /** The name that the user sees on the consent page. */
    readonly clientName: string
    /** The redirect URIs of the client. */
    readonly redirectUris: readonly string[]
    /** The client's public keys, as `generateSigningKey()` returns them. Not together with `jwksUri`. */
    readonly jwks?: { readonly keys: readonly object[] }
    /** Where the client's public keys are, so that they can be replaced; https. Not together with `jwks`. */
    readonly jwksUri?: string
  },
): Readonly<Record<string, unknown>> {
  checkClientMetadataUrl('url', url)
  checkOptions(name, description, ['clientName', 'redirectUris', 'jwks', 'jwksUri'])
  for (const uri of description.redirectUris) checkRedirectUri('redirectUris', uri)
  return {
    client_id: url,
    client_name: description.clientName,
    redirect_uris: description.redirectUris,
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...authenticationOf(description),
  }
}

function authenticationOf({ jwks, jwksUri }: ClientDescription): Record<string, unknown> {
  if (jwks === undefined && jwksUri === undefined) return { token_endpoint_auth_method: 'none' }
  const method = { token_endpoint_auth_method: 'private_key_jwt' }
  if (jwks === undefined) return { ...method, jwks_uri: checkJwksUri(jwksUri) }
  if (jwksUri !== undefined) fail('jwksUri', 'cannot be combined with `jwks`; pass one of them.')
  const keys = publicKeys(jwks)
  const algorithms = new Set(keys.map(({ alg }) => alg))
  const [algorithm] = algorithms
  const isOne = algorithms.size === 1 && algorithm !== undefined
  return { ...method, ...(isOne ? { token_endpoint_auth_signing_alg: algorithm } : {}), jwks }
}

function publicKeys({ keys }: { readonly keys: readonly object[] }): readonly JsonWebKey[] {
  if (!Array.isArray(keys) || keys.length === 0) fail('jwks', 'must be an object with `keys`.')
  for (const key of keys as readonly JsonWebKey[]) {
    const isPrivate = key.d !== undefined || key.k !== undefined || key.p !== undefined
    if (isPrivate) fail('jwks', 'contains a private key, and the document is public.')
  }
  return keys
}

function checkJwksUri(uri: string | undefined): string {
  const url = uri !== undefined && URL.canParse(uri) ? new URL(uri) : undefined
  if (uri === undefined || url?.protocol !== 'https:') fail('jwksUri', 'must be an https URL.')
  return uri
}

function fail(option: string, problem: string): never {
  throw new ConfigurationError(`${name}.${option}`, `${name}.${option} ${problem}`)
}

/**
 * Checks a redirect URI: https, or http on this machine.
 *
 * @throws `ConfigurationError` otherwise.
 */
export function checkRedirectUri(option: string, text: string): void {
  const url = URL.canParse(text) ? new URL(text) : undefined
  const local = url !== undefined && /^(?:localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)
  const fits = url?.protocol === 'https:' || (url?.protocol === 'http:' && local)
  if (fits && url.hash === '') return
  throw new ConfigurationError(
    option,
    `${option} must be https, or http on localhost, without a fragment (MCP, Communication Security).`,
  )
}
