/**
 * The options of the OAuth grants as JSON.
 *
 * @module
 */
import type { ClientAuth } from 'openid-client'
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import type * as OAuth from '../oauth/index.ts'
import { readSecret } from '../secret.ts'
import {
  choice,
  either,
  flag,
  json,
  members,
  number,
  type OptionSpecs,
  off,
  secret,
  text,
  textMap,
  texts,
} from './option-specs.ts'

/** The module of the grants, which is loaded when a file needs it. */
export type OAuthModule = typeof OAuth

const clientAuth = either(
  'How the client authenticates.',
  choice(
    'By name.',
    'none',
    'client_secret_basic',
    'client_secret_basic_unencoded',
    'client_secret_post',
    'tls_client_auth',
  ),
  members('By a signed assertion, or one that the platform issues.', {
    method: choice(
      'The kind of assertion; `platform` is one that the platform issued, as in a projected token file.',
      'private_key_jwt',
      'client_secret_jwt',
      'platform',
    ),
    key: secret('The private key of `private_key_jwt`: PEM or JWK.'),
    secret: secret('The secret of `client_secret_jwt`.'),
    assertion: secret('The assertion of `platform`, such as `file:/var/run/secrets/tokens/mcp`.'),
    algorithm: text('The signature algorithm of `private_key_jwt`, such as `ES256`.'),
    keyId: text('The `kid` header of `private_key_jwt`.'),
    audience: choice('Whom the assertion is for.', 'issuer', 'token_endpoint'),
  }),
)

/** What every grant takes. */
export const sharedSpecs: OptionSpecs = {
  clientId: text('The client identifier that the authorization server knows.'),
  clientSecret: secret('The client secret. It needs `issuer`.'),
  clientAuth,
  issuer: text('The authorization server, exactly as it writes itself.'),
  acceptIssuer: text('An issuer that the metadata of `issuer` may name although it differs.'),
  metadata: json("The authorization server's metadata; nothing is discovered then."),
  scope: text('The scopes to ask for, separated by spaces.'),
  resource: either(
    'The `resource` parameter (RFC 8707).',
    text('An absolute URI.'),
    off('For an authorization server that refuses the parameter.'),
  ),
  dpop: either(
    'Bind tokens to a key (RFC 9449).',
    flag('With the defaults.'),
    members('With options.', {
      algorithm: choice('The algorithm of the key.', 'ES256', 'Ed25519', 'RS256', 'PS256'),
      required: flag('Whether a server that answers with a plain bearer token is refused.'),
    }),
  ),
  parameters: textMap('Further parameters of token requests, such as `audience`.'),
  allowPrivateNetwork: flag('Allow OAuth servers inside private networks.'),
  allow: members('What may be contacted and asked for; everything else is refused.', {
    issuers: texts('The authorization servers.'),
    origins: texts('The origins.'),
    scopes: texts('The scopes.'),
  }),
}

/** What logins with a browser take besides. */
export const loginSpecs: OptionSpecs = {
  ...sharedSpecs,
  redirectUri: text('Where the browser returns to, on this machine.'),
  loginTimeout: number('Seconds that the user has.'),
  clientMetadataUrl: text("The URL of the client's metadata document."),
  clientName: text('The name that the user sees when they are asked for consent.'),
  authorizationParameters: textMap('Further parameters of the authorization request.'),
  requireIss: flag('Refuse a login whose response does not name its issuer (RFC 9207).'),
  registration: members('What the server demands of clients that register themselves.', {
    initialAccessToken: secret('The token that allows to register.'),
    softwareStatement: secret('A JWT that describes the software.'),
  }),
}

type Options = Readonly<Record<string, unknown>>

/** Puts functions in the place of what JSON can only describe: the client's authentication, and the policy. */
export function grantOptions<T>(oauth: OAuthModule, options: Options): T {
  const { clientAuth: auth, allow, ...rest } = options
  return {
    ...rest,
    ...(auth === undefined ? {} : { clientAuth: authentication(oauth, auth) }),
    ...(allow === undefined
      ? {}
      : { allow: oauth.allowOnly(allow as Parameters<OAuthModule['allowOnly']>[0]) }),
  } as T
}

function authentication(oauth: OAuthModule, auth: unknown): unknown {
  if (typeof auth !== 'object' || auth === null) return auth
  const { method, ...rest } = auth as Options
  if (method === 'private_key_jwt') {
    return oauth.privateKeyJwt(rest as Parameters<OAuthModule['privateKeyJwt']>[0])
  }
  if (method === 'client_secret_jwt') {
    return oauth.clientSecretJwt(rest as Parameters<OAuthModule['clientSecretJwt']>[0])
  }
  if (method === 'platform') return platformAssertion(rest)
  throw new ConfigurationError(
    'clientAuth.method',
    'clientAuth.method is missing: private_key_jwt, client_secret_jwt or platform.',
  )
}

/**
 * Authenticates the client by an assertion that the platform issued for it (RFC 7523, section 2.2). Whom it is for
 * was decided there, so the grant needs `issuer`, as with any secret.
 */
function platformAssertion({ assertion, ...others }: Options): OAuth.ClientAssertion {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined || assertion === undefined) {
    throw new ConfigurationError(
      'clientAuth.assertion',
      'clientAuth: `platform` takes `assertion`, and nothing else.',
    )
  }
  return {
    method: 'private_key_jwt',
    // Any server could ask for it otherwise, since the audience is not ours to set.
    audience: 'token_endpoint',
    async prepare({ signal }): Promise<ClientAuth> {
      const value = await readSecret('clientAuth.assertion', assertion as Secret, { signal })
      return (_server, { client_id }, body) => {
        body.set('client_id', client_id)
        body.set('client_assertion_type', 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer')
        body.set('client_assertion', value)
      }
    },
  }
}
