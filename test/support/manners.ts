/**
 * How authorization servers behave where a standard leaves room, or is not kept.
 *
 * @module
 */
import type { Answer } from './oauth-world.ts'

/** What an answer is written with, besides its status. */
export type Form = Pick<Answer, 'type' | 'body' | 'cut' | 'headers'>

/** What differs from a polite server. */
export interface Manners {
  /** Writes an error. Default: as JSON (RFC 6749, section 5.2). */
  readonly error?: (code: string) => Form
  /** Errors are pages, so that a refused grant cannot be told from a proxy in the way. */
  readonly errorPages?: boolean
  /** The status of an error. Default: 401 for `invalid_client`, otherwise 400. */
  readonly errorStatus?: (code: string) => number
  /** The content type of every answer that is no error; `null`: none. */
  readonly type?: string | null
  /** The status of a registration. Default 201. */
  readonly registrationStatus?: number
  /** The `token_type` of every answer. Default `Bearer`. */
  readonly tokenType?: string
  /** Members that replace those of the metadata. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** Metadata is published for OpenID Connect only. */
  readonly openIdOnly?: boolean
  /** A refresh token that comes with a wrong client secret is revoked. */
  readonly burnsOnWrongSecret?: boolean
  /** Each refresh replaces the refresh token; the second use of one ends the login. */
  readonly rotates?: boolean
  /** A loopback redirect URI must have the port that was registered. */
  readonly exactPort?: boolean
  /** Who may revoke tokens. Default: every client. */
  readonly revocation?: 'confidential' | 'nobody'
  /** Basic credentials are not decoded. */
  readonly literalBasic?: boolean
  /** The audience that assertions must have. Default: the issuer. */
  readonly assertionAudience?: 'token_endpoint'
}

const withoutBody = { type: null, body: '' }
const page = '<!doctype html><html><title>Error</title><p>Something went wrong.</html>'

const codesOfGitHub: Readonly<Record<string, string>> = {
  invalid_client: 'incorrect_client_credentials',
  invalid_grant: 'bad_refresh_token',
}

/** Each set of manners, by what a reader calls it. */
export const allManners: Readonly<Record<string, Manners>> = {
  'as the standards ask': {},
  'errors without body and content type': { error: () => withoutBody },
  'errors as a page of HTML': {
    error: () => ({ type: 'text/html', body: page }),
    errorPages: true,
  },
  'errors as plain text': { error: (code) => ({ type: 'text/plain', body: `error: ${code}` }) },
  'errors as JSON of a wrong charset': {
    error: (error) => ({ type: 'application/json; charset=utf-16', body: { error } }),
  },
  'errors that are cut off': { error: () => ({ body: '{"error":"inva', cut: true }) },
  'errors as a list': { error: (code) => ({ body: [code] }) },
  'errors with codes of its own': { error: (code) => ({ body: { error: `own_${code}` } }) },
  'errors with status 200 and the codes of GitHub': {
    errorStatus: () => 200,
    error: (code) => ({ body: { error: codesOfGitHub[code] ?? code } }),
  },
  'errors with a challenge': {
    error: () => ({ ...withoutBody, headers: { 'www-authenticate': 'Basic realm="x"' } }),
  },
  'errors with status 200': { errorStatus: () => 200 },
  'a refused grant with status 403': {
    errorStatus: (code) => (code === 'invalid_grant' ? 403 : 401),
  },
  // As Google says that the user has not decided yet.
  'a pending device login with status 428': {
    errorStatus: (code) => ({ authorization_pending: 428, invalid_client: 401 })[code] ?? 400,
  },
  'answers as text/html': { type: 'text/html' },
  'answers without a content type': { type: null },
  'registrations with status 200': { registrationStatus: 200 },
  'token types in lower case': { tokenType: 'bearer' },
  'token types in upper case': { tokenType: 'BEARER' },
  'metadata that omits grants which work': {
    metadata: { grant_types_supported: ['authorization_code'] },
  },
  'metadata for OpenID Connect only': { openIdOnly: true },
  'a wrong secret burns the refresh token': { burnsOnWrongSecret: true },
  'a second refresh at once ends the login': { rotates: true },
  'redirects to the registered port only': { exactPort: true },
  'no revocation for public clients': { revocation: 'confidential' },
  'no revocation at all': { revocation: 'nobody', metadata: { revocation_endpoint: undefined } },
  'Basic credentials taken literally': { literalBasic: true },
  'assertions for the token endpoint': { assertionAudience: 'token_endpoint' },
  'all of these together': {
    error: () => withoutBody,
    type: 'text/html',
    registrationStatus: 200,
    tokenType: 'bearer',
    metadata: { grant_types_supported: ['authorization_code'] },
    openIdOnly: true,
    burnsOnWrongSecret: true,
    rotates: true,
    exactPort: true,
    revocation: 'confidential',
    literalBasic: true,
    assertionAudience: 'token_endpoint',
  },
}
