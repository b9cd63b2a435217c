/**
 * An authorization server with manners: it checks clients, redirects and tokens, and answers as it is told to.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { Grants } from '../../src/testing/grants.ts'
import type { Manners } from './manners.ts'
import type { Answer } from './oauth-world.ts'
import type { SeenRequest } from './recording-origin.ts'

/** The clients that are registered by hand. */
export const knownClients = {
  /** Has a secret with characters that Basic authentication encodes. */
  confidential: { clientId: 'agent', clientSecret: 's3cret:&+ %' },
  /** Proves itself with a key. */
  signing: { clientId: 'nightly-job' },
  /** Proves nothing. */
  public: { clientId: 'terminal' },
} as const

/** An assertion or subject token that the server refuses. */
export const deadAssertion = 'dead-assertion'

interface Client {
  readonly secret?: string
  readonly signs?: boolean
  readonly redirectUris?: readonly string[]
}

const verifier = 'v'.repeat(43)
const challenge = createHash('sha256').update(verifier).digest('base64url')
const issuingGrants: readonly (string | null)[] = [
  'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'urn:ietf:params:oauth:grant-type:token-exchange',
]

/** The state of one server. */
export class GrantServer {
  readonly #manners: Manners
  readonly #grants: Grants
  readonly #clients = new Map<string, Client>([
    [knownClients.confidential.clientId, { secret: knownClients.confidential.clientSecret }],
    [knownClients.signing.clientId, { signs: true }],
    [knownClients.public.clientId, {}],
  ])
  readonly #tokens: string[] = []
  #polls = 0

  constructor(manners: Manners, now: () => number) {
    this.#manners = manners
    const { rotates: rotate = false } = manners
    this.#grants = new Grants({ tokenLifetime: 3600, expiresIn: true, rotate, scope: 'mcp', now })
  }

  /** Whether an access token is valid. */
  accepts(token: string): boolean {
    return this.#grants.inspect(token) !== undefined
  }

  /** Expires every access token. */
  expireTokens(): void {
    this.#grants.expire()
  }

  /** Ends every login. */
  endLogins(): void {
    for (const token of this.#tokens.splice(0)) this.#grants.revoke(token)
  }

  /** Issues a refresh token without a login. */
  issueRefreshToken(clientId: string): string {
    const { refresh_token } = this.#issue(clientId).body as { refresh_token: string }
    return refresh_token
  }

  /** The members of the metadata that differ. */
  metadata(issuer: string): Record<string, unknown> {
    return {
      device_authorization_endpoint: `${issuer}/device`,
      revocation_endpoint: `${issuer}/revoke`,
      token_endpoint_auth_methods_supported: ['none', 'client_secret_basic', 'private_key_jwt'],
      ...this.#manners.metadata,
    }
  }

  /** Answers a request for one of the endpoints; `undefined`: there is no such endpoint. */
  answer(path: string, request: SeenRequest, issuer: string): Answer | undefined {
    const url = new URL(request.url, issuer)
    const form = new URLSearchParams(request.body)
    switch (path) {
      case '/register':
        return this.#register(JSON.parse(request.body) as Record<string, unknown>)
      case '/authorize':
        return this.#authorize(url.searchParams)
      case '/token':
        return this.#written(this.#token(form, request, issuer))
      case '/device':
        return this.#written(this.#device(issuer))
      case '/revoke':
        return this.#written(this.#revoke(form, request, issuer))
      default:
        return undefined
    }
  }

  #register(body: Record<string, unknown>): Answer {
    const client_id = `registered-${this.#clients.size}`
    this.#clients.set(client_id, { redirectUris: body['redirect_uris'] as string[] })
    const { registrationStatus: status = 201 } = this.#manners
    return this.#written({ status, body: { ...body, client_id } })
  }

  /** Consents at once; what is wrong is shown to the user, who is not sent back. */
  #authorize(parameters: URLSearchParams): Answer {
    const client = this.#clients.get(parameters.get('client_id') ?? '')
    const redirectUri = parameters.get('redirect_uri') ?? ''
    if (client === undefined || !this.#mayRedirect(client, redirectUri)) {
      return { status: 400, type: 'text/html', body: '<p>redirect_uri is not registered.' }
    }
    const target = new URL(redirectUri)
    target.searchParams.set('code', this.#grants.authorize(parameters))
    target.searchParams.set('state', parameters.get('state') ?? '')
    return { status: 302, headers: { location: target.href } }
  }

  #mayRedirect({ redirectUris }: Client, redirectUri: string): boolean {
    if (redirectUris === undefined) return true
    const { exactPort = false } = this.#manners
    return redirectUris.some((registered) => {
      const [known, asked] = [new URL(registered), new URL(redirectUri)]
      // RFC 8252, section 7.3: the port of a loopback address may vary.
      if (!exactPort) known.port = asked.port
      return known.href === asked.href
    })
  }

  #token(form: URLSearchParams, request: SeenRequest, issuer: string): Answer {
    const clientId = this.#authenticate(form, request, issuer)
    if (clientId === undefined) {
      if (this.#manners.burnsOnWrongSecret === true) {
        this.#grants.revoke(form.get('refresh_token') ?? '')
      }
      return this.#error('invalid_client')
    }
    const assertion = form.get('assertion') ?? form.get('subject_token')
    if (assertion === deadAssertion) return this.#error('invalid_grant')
    const grantType = form.get('grant_type')
    if (grantType === 'urn:ietf:params:oauth:grant-type:device_code') {
      this.#polls += 1
      // The user needs a moment.
      return this.#polls % 2 === 1 ? this.#pending() : this.#issue(clientId)
    }
    if (issuingGrants.includes(grantType)) form.set('grant_type', 'client_credentials')
    return this.#issued(this.#grants.redeem(form, clientId))
  }

  /** The client, if it has proven that it is that. */
  #authenticate(form: URLSearchParams, request: SeenRequest, issuer: string): string | undefined {
    const basic = /^Basic (.+)$/.exec(request.headers.authorization ?? '')?.[1]
    const assertion = form.get('client_assertion')
    if (assertion !== null) return this.#assertedClient(assertion, issuer)
    const [user, password] = basic === undefined ? [] : this.#basic(basic)
    const clientId = user ?? form.get('client_id') ?? ''
    const client = this.#clients.get(clientId)
    if (client === undefined || client.signs === true) return undefined
    return client.secret === password ? clientId : undefined
  }

  #basic(encoded: string): [string, string] {
    const text = Buffer.from(encoded, 'base64').toString('latin1')
    const at = text.indexOf(':')
    const decoded = (part: string) => new URLSearchParams(`x=${part}`).get('x') ?? ''
    const parts: [string, string] = [text.slice(0, at), text.slice(at + 1)]
    return this.#manners.literalBasic === true ? parts : [decoded(parts[0]), decoded(parts[1])]
  }

  #assertedClient(assertion: string, issuer: string): string | undefined {
    const payload = Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()
    const { sub, aud } = JSON.parse(payload) as { sub: string; aud: string }
    const isTokenEndpoint = this.#manners.assertionAudience === 'token_endpoint'
    const expected = isTokenEndpoint ? `${issuer}/token` : issuer
    return aud === expected && this.#clients.get(sub)?.signs === true ? sub : undefined
  }

  #device(issuer: string): Answer {
    return {
      body: {
        device_code: 'device-1',
        user_code: 'WDJB-MJHT',
        verification_uri: `${issuer}/activate`,
        expires_in: 600,
        interval: 0.01,
      },
    }
  }

  #revoke(form: URLSearchParams, request: SeenRequest, issuer: string): Answer {
    const { revocation } = this.#manners
    const clientId = this.#authenticate(form, request, issuer)
    const { secret, signs } = this.#clients.get(clientId ?? '') ?? {}
    const isConfidential = secret !== undefined || signs === true
    const mayRevoke = revocation === undefined || (revocation === 'confidential' && isConfidential)
    if (clientId === undefined || !mayRevoke) return this.#error('invalid_client')
    this.#grants.revoke(form.get('token') ?? '')
    return { type: null, body: '' }
  }

  /** Issues tokens as after a login. */
  #issue(clientId: string): Answer {
    const parameters = { client_id: clientId, redirect_uri: 'x', code_challenge: challenge }
    const code = this.#grants.authorize(new URLSearchParams(parameters))
    const form = { grant_type: 'authorization_code', code, redirect_uri: 'x' }
    const redemption = new URLSearchParams({ ...form, code_verifier: verifier })
    return this.#issued(this.#grants.redeem(redemption, clientId))
  }

  #issued({ status = 200, body }: { status?: number; body?: unknown }): Answer {
    const members = body as Record<string, string>
    if (status !== 200) return this.#error(members['error'] ?? '')
    const { access_token = '', refresh_token } = members
    this.#tokens.push(access_token, ...(refresh_token === undefined ? [] : [refresh_token]))
    return { body: { ...members, token_type: this.#manners.tokenType ?? 'Bearer' } }
  }

  #error(error: string): Answer {
    const status = this.#manners.errorStatus?.(error) ?? (error === 'invalid_client' ? 401 : 400)
    return {
      type: 'application/json',
      ...(this.#manners.error?.(error) ?? { body: { error } }),
      status,
    }
  }

  /** Without its code, nobody could know that this error is to be waited for. */
  #pending(): Answer {
    const { type } = this.#error('')
    const status = this.#manners.errorStatus?.('authorization_pending') ?? 400
    return {
      status,
      body: { error: 'authorization_pending' },
      ...(type === undefined ? {} : { type }),
    }
  }

  /** An answer that is no error is written as the manners say. */
  #written(answer: Answer): Answer {
    const { type } = this.#manners
    const isError = (answer.status ?? 200) >= 400
    return isError || type === undefined ? answer : { ...answer, type }
  }
}
