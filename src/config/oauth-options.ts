/**
 * The options of the OAuth grants in config files.
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
  members('With a signed assertion, or one that the platform issues.', {
    method: choice(
      'The kind of assertion; `platform` is issued by the platform, such as a projected token file.',
      'private_key_jwt',
      'client_secret_jwt',
      'platform',
    ),
    key: secret('The private key of `private_key_jwt`: PEM or JWK.'),
    secret: secret('The secret of `client_secret_jwt`.'),
    assertion: secret('The assertion of `platform`, such as `file:/var/run/secrets/tokens/mcp`.'),
    algorithm: text('The signature algorithm of `private_key_jwt`, such as `ES256`.'),
    keyId: text('The `kid` header of `private_key_jwt`.'),
    audience: choice('The audience of the assertion.', 'issuer', 'token_endpoint'),
  }),
)

/** The options of every grant. */
export const sharedSpecs: OptionSpecs = {
  clientId: text('The client ID that is registered with the authorization server.'),
  clientSecret: secret('The client secret. It requires `issuer`.'),
  clientAuth,
  issuer: text('The issuer of the authorization server, exactly as in its metadata.'),
  acceptIssuer: text('An issuer that the metadata of `issuer` may contain although it differs.'),
  metadata: json("The authorization server's metadata, instead of discovery."),
  scope: text('The scopes to request, separated by spaces.'),
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
      required: flag('Whether to refuse a server that responds with a plain bearer token.'),
    }),
  ),
  parameters: textMap('Further parameters of token requests, such as `audience`.'),
  allowPrivateNetwork: flag('Allow OAuth servers in private networks.'),
  allow: members('What may be contacted and requested; everything else is refused.', {
    issuers: texts('The authorization servers.'),
    origins: texts('The origins.'),
    scopes: texts('The scopes.'),
  }),
}

/** The further options of logins with a browser. */
export const loginSpecs: OptionSpecs = {
  ...sharedSpecs,
  redirectUri: text('The callback URL on this machine.'),
  loginTimeout: number('The time limit for the user in seconds.'),
  clientMetadataUrl: text("The URL of the client's metadata document."),
  clientName: text('The name that the consent page shows to the user.'),
  authorizationParameters: textMap('Further parameters of the authorization request.'),
  requireIss: flag('Refuse a login whose response does not name its issuer (RFC 9207).'),
  registration: members('Credentials for the dynamic registration of the client.', {
    initialAccessToken: secret('The initial access token.'),
    softwareStatement: secret('A JWT that describes the software.'),
  }),
}

type Options = Readonly<Record<string, unknown>>

/** Replaces descriptions in JSON by functions: the client authentication, and the policy. */
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
 * Authenticates the client with an assertion of the platform (RFC 7523, section 2.2). The platform
 * determines its audience, so the grant requires `issuer`, as for any secret.
 */
function platformAssertion({ assertion, ...others }: Options): OAuth.ClientAssertion {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined || assertion === undefined) {
    throw new ConfigurationError(
      'clientAuth.assertion',
      'clientAuth: `platform` requires `assertion`, and accepts no other option.',
    )
  }
  return {
    method: 'private_key_jwt',
    // Without a pinned issuer any server could request it, because the library cannot set its audience.
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
