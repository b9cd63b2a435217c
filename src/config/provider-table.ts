/**
 * The providers that a config file can name: one table for reading, for checks and for the JSON Schema. It is long
 * because it has an entry for each provider.
 *
 * @module
 */
import type * as Workload from '../auto/workload.ts'
import type * as Aws from '../aws/index.ts'
import type { CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { apiKey } from '../providers/api-key.ts'
import { basic } from '../providers/basic.ts'
import { bearer } from '../providers/bearer.ts'
import { all, firstAvailable, rotating } from '../providers/combinators.ts'
import { fromCommand } from '../providers/from-command.ts'
import { headers } from '../providers/headers.ts'
import { hmac } from '../providers/hmac.ts'
import { httpSignature } from '../providers/http-signature.ts'
import { jwt } from '../providers/jwt.ts'
import { grantOptions, loginSpecs, type OAuthModule, sharedSpecs } from './oauth-options.ts'
import {
  choice,
  commandLine,
  either,
  flag,
  json,
  members,
  number,
  type OptionSpecs,
  off,
  providers,
  publicText,
  secret,
  secretMap,
  text,
  textMap,
  texts,
} from './option-specs.ts'

/** Modules that are loaded when a file needs them, and what only the application can do. */
export interface Tools {
  readonly oauth?: OAuthModule
  /** For entries without options, which need nothing else of that module. */
  readonly savedLogin?: OAuthModule['savedLogin']
  readonly aws?: typeof Aws
  readonly workload?: typeof Workload
  readonly onUserCode?: Parameters<OAuthModule['deviceCode']>[0]['onUserCode']
  readonly onAuthorizationUrl?: NonNullable<
    Parameters<OAuthModule['authorizationCode']>[0]
  >['onAuthorizationUrl']
}

/** A module that is loaded when a file needs it. */
export type ToolModule = 'oauth' | 'savedLogin' | 'aws' | 'workload'

/** A provider that a config file can name. */
export interface ProviderEntry {
  /** What it is, for lists. */
  readonly words: string
  readonly options: OptionSpecs
  /** The module that it needs. */
  readonly needs?: ToolModule
  /** Makes it of options that were checked against `options`. */
  make(options: never, tools: Tools): CredentialProvider
}

type Options = Readonly<Record<string, unknown>>
type Combined = { readonly providers: readonly CredentialProvider[] }

/** A grant: its factory is taken from the module when that is loaded. */
function grant<Name extends keyof OAuthModule>(
  words: string,
  name: Name,
  own: OptionSpecs,
  base: OptionSpecs = sharedSpecs,
): ProviderEntry {
  return {
    words,
    options: { ...base, ...own },
    needs: 'oauth',
    make: (options: Options, { oauth }) => {
      const module = loaded(oauth)
      const factory = module[name] as (options: unknown) => CredentialProvider
      return factory(grantOptions(module, options))
    },
  }
}

function loaded<T>(module: T | undefined): T {
  if (module !== undefined) return module
  throw new ConfigurationError('config', 'The module of a provider is not loaded.')
}

const required = { required: true } as const
const clientId = text('The client identifier that the authorization server knows.', required)
const issuer = text('The authorization server, exactly as it writes itself.', required)
const tokenType = text('What kind of token it is, such as `id_token`.')
const timeout = number('Seconds that the command may take.')
const secretEncoding = choice('How the secret is written down.', 'utf8', 'hex', 'base64')

const staticProviders: Readonly<Record<string, ProviderEntry>> = {
  apiKey: {
    words: 'API key',
    options: {
      value: secret('The key.', required),
      header: text('The header that carries it. Default `X-API-Key`.'),
      query: text('The query parameter that carries it, where the server accepts no header.'),
    },
    make: (options: Parameters<typeof apiKey>[0]) => apiKey(options),
  },
  bearer: {
    words: 'bearer token',
    options: { token: secret('The token, without the word `Bearer`.', required) },
    make: ({ token }: { readonly token: Secret }) => bearer(token),
  },
  basic: {
    words: 'user name and password',
    options: {
      username: publicText('The user name.', required),
      password: secret('The password.', required),
    },
    make: (options: Parameters<typeof basic>[0]) => basic(options),
  },
  headers: {
    words: 'headers',
    options: { headers: secretMap('The header names and what they carry.', required) },
    make: ({ headers: values }: { readonly headers: Readonly<Record<string, Secret>> }) =>
      headers(values),
  },
  fromCommand: {
    words: 'token of a command',
    options: {
      command: commandLine('The program and its arguments. It prints a token, or JSON.', required),
      timeout,
    },
    make: ({ command, ...rest }: { readonly command: readonly string[]; timeout?: number }) =>
      fromCommand(command, rest),
  },
}

const signers: Readonly<Record<string, ProviderEntry>> = {
  hmac: {
    words: 'HMAC signature',
    options: {
      secret: secret('The shared secret.', required),
      secretEncoding,
      hash: choice('The hash function.', 'sha256', 'sha384', 'sha512'),
      encoding: choice('How the signature is written.', 'hex', 'base64', 'base64url'),
      prefix: text('What stands before the signature.'),
      signatureHeader: text('The header of the signature.'),
      scheme: choice('What is signed.', 'timestamp-body', 'method-path-body', 'standard-webhooks'),
      message: text('A template of what is signed, such as `{timestamp}.{body}`.'),
      timestampHeader: either(
        'The header of the time.',
        text('Its name.'),
        off('For servers that sign no time.'),
      ),
      nonceHeader: text('The header of a nonce.'),
      keyId: publicText('Tells the server which secret was used.'),
      keyIdHeader: text('The header of `keyId`.'),
    },
    make: (options: Parameters<typeof hmac>[0]) => hmac(options),
  },
  httpSignature: {
    words: 'HTTP message signature',
    options: {
      keyId: text('The name by which the server knows the key.', required),
      algorithm: {
        ...choice(
          'The signature algorithm.',
          'hmac-sha256',
          'ed25519',
          'ecdsa-p256-sha256',
          'ecdsa-p384-sha384',
          'rsa-pss-sha512',
          'rsa-v1_5-sha256',
        ),
        ...required,
      },
      secret: secret('The secret of `hmac-sha256`.'),
      secretEncoding,
      key: secret('The private key of the other algorithms: PEM or JWK.'),
      components: texts('What is signed on every request.'),
      optionalComponents: texts('Headers that are signed on the requests that carry them.'),
      digest: either(
        'The hash of the body.',
        choice('Its name.', 'sha-256', 'sha-512'),
        off('No hash: the body is not signed.'),
      ),
      created: flag('Whether to say when the signature was made.'),
      expiresIn: number('Seconds until the signature expires.'),
      nonce: flag('Whether each attempt has a fresh random value.'),
      tag: text('What the signature is for.'),
      label: text('The name of the signature in its headers.'),
      includeAlgorithm: flag('Whether to name the algorithm.'),
    },
    make: (options: Parameters<typeof httpSignature>[0]) => httpSignature(options),
  },
  jwt: {
    words: 'signed JWT',
    options: {
      algorithm: text('The JOSE name of the signature, such as `ES256`.'),
      secret: secret('The shared secret of HS256 and its siblings.'),
      key: secret('The private key: PEM or JWK.'),
      keyId: text('The `kid` header.'),
      header: textMap('Further header fields.'),
      issuer: text('The `iss` claim.'),
      subject: text('The `sub` claim.'),
      audience: either('The `aud` claim.', text('One.'), texts('Several.')),
      expiresIn: number('Seconds that a token lives.'),
      notBefore: flag('Whether tokens carry the `nbf` claim.'),
      jwtId: flag('Whether tokens carry a `jti` claim.'),
      claims: json('Further claims.'),
      perRequest: flag('Mint a token for every single request.'),
    },
    make: (options: Parameters<typeof jwt>[0]) => jwt(options),
  },
  awsSigV4: {
    words: 'AWS signature',
    needs: 'aws',
    options: {
      region: text('The region, such as `us-west-2`.'),
      service: text("The service's signing name."),
      credentials: members('The keys. Default: the environment variables of AWS.', {
        accessKeyId: publicText('The access key id.', required),
        secretAccessKey: secret('The secret access key.', required),
        sessionToken: secret('The session token of temporary credentials.'),
      }),
    },
    make: (options: Aws.AwsSigV4Options, { aws }) => loaded(aws).awsSigV4(options),
  },
}

const grants: Readonly<Record<string, ProviderEntry>> = {
  savedLogin: grant('saved login', 'savedLogin', {}),
  clientCredentials: grant('OAuth client credentials', 'clientCredentials', { clientId }),
  authorizationCode: {
    ...grant('OAuth login', 'authorizationCode', {}, loginSpecs),
    make: (options: Options, { oauth, onAuthorizationUrl }) => {
      const module = loaded(oauth)
      const shows = onAuthorizationUrl === undefined ? {} : { onAuthorizationUrl }
      return module.authorizationCode({ ...grantOptions<object>(module, options), ...shows })
    },
  },
  deviceCode: {
    ...grant('OAuth login on another device', 'deviceCode', { clientId }),
    make: (options: Options, { oauth, onUserCode }) => {
      if (onUserCode === undefined) {
        throw new ConfigurationError(
          'onUserCode',
          'deviceCode needs the option `onUserCode` of loadConfig(), a function that shows the code to the user.',
        )
      }
      const module = loaded(oauth)
      const grantOf = grantOptions<{ readonly clientId: string }>(module, options)
      return module.deviceCode({ ...grantOf, onUserCode })
    },
  },
  refreshToken: grant('OAuth refresh token', 'refreshToken', {
    clientId,
    issuer,
    refreshToken: secret('The refresh token.', required),
  }),
  tokenExchange: grant('OAuth token exchange', 'tokenExchange', {
    clientId,
    issuer,
    subjectToken: secret('The token of the party that is acted for.', required),
    subjectTokenType: tokenType,
    actorToken: secret('The token of the party that acts.'),
    actorTokenType: tokenType,
    audience: text('The name of the service that the new token is for.'),
  }),
  jwtBearer: grant('workload identity', 'jwtBearer', {
    clientId,
    issuer,
    assertion: secret('The assertion, such as `file:/var/run/secrets/tokens/mcp`.', required),
  }),
  workload: workload(),
  enterpriseManaged: enterprise(),
  tokenEndpoint: {
    words: 'token of a custom endpoint',
    needs: 'oauth',
    options: {
      url: text('The endpoint.', required),
      fields: secretMap('The members of the request.', required),
      format: choice('How the members are written.', 'json', 'form'),
      headers: secretMap('Further request headers.'),
      tokenField: text('Where the token is in the answer; dots lead into objects.'),
      expiresInField: text('Where the life in seconds is.'),
    },
    make: (options: Parameters<OAuthModule['tokenEndpoint']>[0], { oauth }) =>
      loaded(oauth).tokenEndpoint(options),
  },
}

/** The platform's token is the proof, so the client has no secret. */
function workload(): ProviderEntry {
  const { clientSecret: _secret, clientAuth: _auth, ...shared } = sharedSpecs
  return {
    words: 'workload identity',
    needs: 'workload',
    options: {
      ...shared,
      issuer,
      audience: text("For whom the platform's token is made out. Default: `issuer`."),
      grant: choice(
        "What the platform's token is: an assertion, a token to be exchanged, or the client's authentication.",
        'jwt_bearer',
        'token_exchange',
        'client_credentials',
      ),
      tokenFile: text('The file of a projected token.'),
    },
    make: (options: Options, { oauth, workload: module }) =>
      loaded(module).workloadIdentity(grantOptions(loaded(oauth), options)),
  }
}

function enterprise(): ProviderEntry {
  const { clientSecret, clientAuth } = sharedSpecs
  const specs: OptionSpecs = {
    clientId,
    identityProvider: members(
      "The enterprise's identity provider.",
      {
        issuer: text('Its issuer, exactly as it writes itself.', required),
        tokenEndpoint: text('Its token endpoint, where it publishes no metadata.'),
        clientId: text('The client as the identity provider knows it.', required),
        ...(clientSecret === undefined ? {} : { clientSecret }),
        ...(clientAuth === undefined ? {} : { clientAuth }),
      },
      required,
    ),
    subjectToken: secret("Proof of the user's sign-in at the identity provider.", required),
    subjectTokenType: tokenType,
  }
  return {
    ...grant('enterprise-managed login', 'enterpriseManaged', specs),
    make: ({ identityProvider, ...options }: Options, { oauth }) => {
      const module = loaded(oauth)
      const idp = grantOptions<object>(module, identityProvider as Options)
      const own = grantOptions<object>(module, options)
      const made = { ...own, identityProvider: idp }
      return module.enterpriseManaged(made as Parameters<OAuthModule['enterpriseManaged']>[0])
    },
  }
}

const combined: Readonly<Record<string, ProviderEntry>> = {
  all: {
    words: 'all of',
    options: { providers: providers('The credentials that are put on each request, in order.') },
    make: ({ providers: parts }: Combined) => all(...parts),
  },
  firstAvailable: {
    words: 'first of',
    options: { providers: providers('The first that has a credential is used.') },
    make: ({ providers: parts }: Combined) => firstAvailable(...parts),
  },
  rotating: {
    words: 'rotating',
    options: { providers: providers('Keys that replace each other; the primary first.') },
    make: ({ providers: parts }: Combined) => rotating(parts),
  },
}

/** Every provider that a config file can name. */
export const providerTable: ReadonlyMap<string, ProviderEntry> = new Map(
  Object.entries({ ...staticProviders, ...signers, ...grants, ...combined }),
)
