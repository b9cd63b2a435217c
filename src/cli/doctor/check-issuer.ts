/**
 * Checks the authorization of a server: its metadata, and each authorization server.
 *
 * @module
 */
import { labelOf } from '../labels.ts'
import { texts } from './authorization.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import type { Authorization, Issuer, Metadata, Observations, Refusal } from './observations.ts'
import { requiredCredential, requiresDpop } from './required-credential.ts'
import { issuerLabel, listed } from './untrusted-text.ts'

/** Checks the published authorization metadata. */
export function checkAuthorization(observed: Observations): readonly Finding[] {
  const { authorization } = observed
  if (authorization === undefined) return []
  const wantsOAuth = requiredCredential(observed).kind === 'oauth'
  const { refusal } = authorization
  const { kind } = requiredCredential(observed)
  if (kind === 'unknown' && authorization.issuers.length === 0) return []
  if (refusal !== undefined) return [refused('metadata', refusal, wantsOAuth)]
  if (authorization.issuers.length === 0) {
    return wantsOAuth ? [missing] : kind === 'bearer' ? [unpublished] : []
  }
  const isBound = requiresDpop(observed)
  return [
    ...checkMetadata(authorization),
    ...(isBound ? [bound] : []),
    ...authorization.issuers.flatMap((issuer) =>
      checkIssuer(issuer, isBound).map((finding) => ({
        ...finding,
        issuer: issuerLabel(issuer.issuer),
      })),
    ),
  ]
}

const missing: Finding = problem(
  'metadata',
  'The challenge refers to metadata that does not exist.',
  'Publish it at that URL (RFC 9728), or remove `resource_metadata` from the challenge.',
)

const unpublished: Finding = note(
  'metadata',
  'The server publishes no authorization metadata, so clients cannot request a token.',
)

const bound: Finding = note(
  'dpop',
  'The server accepts only tokens that are bound to a key (DPoP).',
  'Add `--dpop` to the command `login`, or set the option `dpop: true` of the provider, as below.',
)

/** Reports an error of the library; it is a problem only if the metadata is required. */
function refused(id: string, { message, remedy }: Refusal, isNeeded: boolean): Finding {
  const further = ' For this command, add --allow-private-network.'
  const isPrivate = remedy?.includes('allowPrivateNetwork') === true
  const advice = `${remedy ?? "Contact the server's operator."}${isPrivate ? further : ''}`
  return isNeeded ? problem(id, message, advice) : note(id, message, advice)
}

function checkMetadata({ resource, named, issuers }: Authorization): readonly Finding[] {
  if (resource === undefined) {
    return [
      note(
        'metadata',
        'The server publishes no metadata of its own (RFC 9728); its authorization server was found by the rules of MCP 2025-03-26.',
        'Publish /.well-known/oauth-protected-resource, which current clients request first.',
      ),
    ]
  }
  const { scopes, bearerMethods } = resource
  const which = scopes.length === 0 ? 'It lists no scopes.' : `Its scopes: ${listed(scopes)}.`
  const findings = [ok('metadata', `The server publishes metadata that matches its URL. ${which}`)]
  if (bearerMethods !== undefined && !bearerMethods.includes('header')) {
    const text =
      'Its metadata does not list `header`, the only method of sending tokens that MCP allows.'
    findings.push(problem('metadata', text, 'Add `header` to `bearer_methods_supported`.'))
  }
  if (named.length > 1) {
    const more = named.length > issuers.length ? ` The first ${issuers.length} were examined.` : ''
    findings.push(
      note(
        'issuers',
        `It names ${named.length} authorization servers; the first is used by default.${more}`,
        'To use another one, set the option `issuer` or `selectIssuer`.',
      ),
    )
  }
  return findings
}

function checkIssuer(issuer: Issuer, isBound: boolean): readonly Finding[] {
  const { metadata, refusal, loginRefusal } = issuer
  if (metadata === undefined) {
    const reason = refusal ?? { code: '', message: 'Its metadata could not be read.' }
    return [refused('server-metadata', reason, true)]
  }
  return [
    ok('server-metadata', 'Its metadata can be read and names the same issuer.'),
    ...checkSafeguards(issuer),
    checkGrants(metadata),
    checkClientAuthentication(metadata),
    ...checkPkce(metadata, loginRefusal),
    checkRegistration(metadata),
    checkDpop(metadata, isBound),
    checkIss(metadata),
    ...checkFurther(metadata),
    ...(loginRefusal === undefined ? checkEndpoints(metadata) : []),
  ]
}

function checkSafeguards({ loginRefusal, pinnedRefusal, needsPin }: Issuer): readonly Finding[] {
  if (loginRefusal === undefined) {
    const text = 'No safeguard of this library stops a login: the browser would open now.'
    return [ok('safeguards', text)]
  }
  const messages = new Set<string>()
  return [loginRefusal, pinnedRefusal].flatMap((refusal) => {
    // Unsupported features have their own findings.
    if (refusal === undefined || refusal.code === 'unsupported_server') return []
    if (messages.has(refusal.message)) return []
    messages.add(refusal.message)
    const pin = 'If the two servers belong together, set `issuer` to this one, as below.'
    return [refused('safeguards', needsPin === true ? { ...refusal, remedy: pin } : refusal, true)]
  })
}

const grantWords: Readonly<Record<string, string>> = {
  authorization_code: 'login with a browser',
  refresh_token: 'renewal without the user',
  client_credentials: 'client credentials',
  'urn:ietf:params:oauth:grant-type:device_code': 'login on another device',
  'urn:ietf:params:oauth:grant-type:token-exchange': 'token exchange',
  'urn:ietf:params:oauth:grant-type:jwt-bearer': 'JWT assertions',
}

/** The grants of a server; without a list, the default of RFC 8414, section 2. */
export function grantsOf({ grant_types_supported }: Metadata): readonly string[] {
  return texts(grant_types_supported) ?? ['authorization_code', 'implicit']
}

/** Whether users can log in with a browser. */
export function offersBrowserLogin(metadata: Metadata): boolean {
  const isListed = grantsOf(metadata).includes('authorization_code')
  return isListed && metadata.authorization_endpoint !== undefined
}

function checkGrants(metadata: Metadata): Finding {
  const grants = grantsOf(metadata)
  const words = grants.flatMap((grant) =>
    Object.hasOwn(grantWords, grant) ? grantWords[grant] : [],
  )
  const isListed = metadata.grant_types_supported !== undefined
  if (words.length === 0) {
    const text = `It offers no grant that this library supports: ${listed(grants)}.`
    return problem('grants', text, "Contact the server's operator.")
  }
  const text = `It offers ${words.join(', ')}.`
  if (!isListed) return ok('grants', `${text} It lists no grants, so this is the default.`)
  if (offersBrowserLogin(metadata) && !grants.includes('refresh_token')) {
    const more =
      'It does not list refresh tokens, so users may have to log in again when a token expires.'
    return note('grants', `${text} ${more}`)
  }
  return ok('grants', text)
}

function checkClientAuthentication(metadata: Metadata): Finding {
  const listedMethods = texts(metadata.token_endpoint_auth_methods_supported)
  const methods = listedMethods ?? ['client_secret_basic']
  const words = methods.map((method) => (method === 'none' ? 'none (public clients)' : method))
  const text = `It accepts ${listed(words)}.`
  if (methods.includes('none')) return ok('client-authentication', text)
  const default_ =
    listedMethods === undefined ? ' It lists no methods, so this is the default.' : ''
  return note(
    'client-authentication',
    `${text}${default_} Clients without a secret are not listed.`,
    'If a login fails with `invalid_client`, register a client with a secret there.',
  )
}

function hasPkce({ code_challenge_methods_supported }: Metadata): boolean {
  return texts(code_challenge_methods_supported)?.includes('S256') === true
}

function checkPkce(metadata: Metadata, loginRefusal: Refusal | undefined): readonly Finding[] {
  if (!offersBrowserLogin(metadata)) return []
  if (hasPkce(metadata)) return [ok('pkce', 'It supports PKCE with S256.')]
  if (loginRefusal === undefined) {
    return [ok('pkce', 'It does not list PKCE, but it is known to support it.')]
  }
  return [
    problem(
      'pkce',
      'It does not list PKCE with S256, which MCP requires.',
      'Add `code_challenge_methods_supported: ["S256"]` to its metadata. If it does support S256, pass `metadata` that lists it.',
    ),
  ]
}

/** How clients are registered with a server. */
export function registrationOf(metadata: Metadata): 'dynamic' | 'document' | 'by hand' {
  if (metadata.registration_endpoint !== undefined) return 'dynamic'
  const takesDocuments = metadata['client_id_metadata_document_supported'] === true
  return takesDocuments ? 'document' : 'by hand'
}

function checkRegistration(metadata: Metadata): Finding {
  const takesDocuments = metadata['client_id_metadata_document_supported'] === true
  const isDynamic = metadata.registration_endpoint !== undefined
  const id = 'registration'
  if (takesDocuments && isDynamic) {
    return ok(id, 'Clients use a metadata document (CIMD), or register themselves.')
  }
  if (isDynamic) return ok(id, 'Clients register themselves (RFC 7591).')
  if (takesDocuments) {
    const text = 'Clients use a metadata document (CIMD); they cannot register themselves.'
    return note(id, text, 'Publish a metadata document, and set `clientMetadataUrl` to its URL.')
  }
  const text = 'Clients cannot register themselves; its operator must register them.'
  return note(id, text, 'Have a client registered, and pass its `clientId`.')
}

function checkDpop(metadata: Metadata, isRequired: boolean): Finding {
  const algorithms = texts(metadata.dpop_signing_alg_values_supported)
  if (algorithms !== undefined) {
    const text = `It can bind tokens to a key (DPoP): ${listed(algorithms)}.`
    if (isRequired) return ok('dpop', text)
    const remedy =
      'To use it, add `--dpop` to the command `login`, or set the option `dpop: true` of the provider.'
    return { ...ok('dpop', text), remedy }
  }
  if (!isRequired) return ok('dpop', 'It cannot bind tokens to a key (DPoP); few servers can.')
  const text =
    'The MCP server accepts only tokens that are bound to a key, but this server lists no algorithm for DPoP.'
  return problem('dpop', text, 'Add `dpop_signing_alg_values_supported` to its metadata.')
}

function checkIss(metadata: Metadata): Finding {
  if (metadata.authorization_response_iss_parameter_supported === true) {
    return ok('iss', 'Its responses contain its issuer (`iss`), which prevents mix-up attacks.')
  }
  const text = 'Its responses do not contain its issuer (`iss`, RFC 9207).'
  return note(
    'iss',
    text,
    'Add `iss` to the responses, and `authorization_response_iss_parameter_supported: true` to the metadata.',
  )
}

function checkFurther(metadata: Metadata): readonly Finding[] {
  const findings: Finding[] = []
  const profiles = texts(metadata['authorization_grant_profiles_supported']) ?? []
  if (profiles.some((profile) => profile.endsWith(':id-jag'))) {
    const text = 'It supports enterprise-managed logins: enterpriseManaged().'
    findings.push(ok('extensions', text))
  }
  if (metadata.require_pushed_authorization_requests === true) {
    findings.push(ok('pushed-requests', 'It requires pushed authorization requests (RFC 9126).'))
  }
  if (metadata.revocation_endpoint === undefined) {
    const text =
      'It has no revocation endpoint, so tokens remain valid after a logout until they expire.'
    findings.push(note('revocation', text))
  }
  const { token_endpoint } = metadata
  if (token_endpoint === undefined) {
    const text = 'It names no token endpoint.'
    findings.push(problem('token-endpoint', text, 'Add `token_endpoint` to its metadata.'))
  }
  return findings
}

function checkEndpoints(metadata: Metadata): readonly Finding[] {
  const foreign = foreignOrigins(metadata).map((origin) => labelOf(origin))
  if (foreign.length === 0) return []
  return [note('endpoints', `Some of its endpoints have another origin: ${foreign.join(', ')}.`)]
}

function foreignOrigins(metadata: Metadata): readonly string[] {
  const own = URL.canParse(metadata.issuer) ? new URL(metadata.issuer).origin : ''
  const origins = Object.entries(metadata).flatMap(([name, value]) => {
    const isEndpoint =
      name.endsWith('_endpoint') && typeof value === 'string' && URL.canParse(value)
    return isEndpoint ? [new URL(value).origin] : []
  })
  return [...new Set(origins)].filter((origin) => origin !== own).slice(0, 4)
}
