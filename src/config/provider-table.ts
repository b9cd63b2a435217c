/**
 * The table of providers for config files and for the JSON Schema. It is long because it has an entry for
 * each provider.
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

/** Modules that are loaded on demand, and callbacks of the application. */
export interface Dependencies {
  readonly oauth?: OAuthModule
  /** For entries without options, which use nothing else from that module. */
  readonly savedLogin?: OAuthModule['savedLogin']
  readonly aws?: typeof Aws
  readonly workload?: typeof Workload
  readonly onUserCode?: Parameters<OAuthModule['deviceCode']>[0]['onUserCode']
  readonly onAuthorizationUrl?: NonNullable<
    Parameters<OAuthModule['authorizationCode']>[0]
  >['onAuthorizationUrl']
}

/** A module that is loaded on demand. */
export type ModuleName = 'oauth' | 'savedLogin' | 'aws' | 'workload'

/** A provider of config files. */
export interface ProviderEntry {
  /** Its description, for lists. */
  readonly description: string
  readonly options: OptionSpecs
  /** The module that it requires. */
  readonly needs?: ModuleName
  /** Creates the provider from options that were checked against `options`. */
  make(options: never, dependencies: Dependencies): CredentialProvider
}

type Options = Readonly<Record<string, unknown>>
type Combined = { readonly providers: readonly CredentialProvider[] }

/** An OAuth grant; its factory comes from the module that is loaded on demand. */
function grant<Name extends keyof OAuthModule>(
  words: string,
  name: Name,
  own: OptionSpecs,
  base: OptionSpecs = sharedSpecs,
): ProviderEntry {
  return {
    description: words,
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
const clientId = text('The client ID that is registered with the authorization server.', required)
const issuer = text('The issuer of the authorization server, exactly as in its metadata.', required)
const tokenType = text('The type of the token, such as `id_token`.')
const timeout = number('The time limit of the command in seconds.')
const secretEncoding = choice('The encoding of the secret.', 'utf8', 'hex', 'base64')

const staticProviders: Readonly<Record<string, ProviderEntry>> = {
  apiKey: {
    description: 'API key',
    options: {
      value: secret('The key.', required),
      header: text('The header that carries the key. Default `X-API-Key`.'),
      query: text('The query parameter that carries the key, if the server accepts no header.'),
    },
    make: (options: Parameters<typeof apiKey>[0]) => apiKey(options),
  },
  bearer: {
    description: 'bearer token',
    options: { token: secret('The token, without the word `Bearer`.', required) },
    make: ({ token }: { readonly token: Secret }) => bearer(token),
  },
  basic: {
    description: 'user name and password',
    options: {
      username: publicText('The user name.', required),
      password: secret('The password.', required),
    },
    make: (options: Parameters<typeof basic>[0]) => basic(options),
  },
  headers: {
    description: 'headers',
    options: { headers: secretMap('The header names and their values.', required) },
    make: ({ headers: values }: { readonly headers: Readonly<Record<string, Secret>> }) =>
      headers(values),
  },
  fromCommand: {
    description: 'token of a command',
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
    description: 'HMAC signature',
    options: {
      secret: secret('The shared secret.', required),
      secretEncoding,
      hash: choice('The hash function.', 'sha256', 'sha384', 'sha512'),
      encoding: choice('The encoding of the signature.', 'hex', 'base64', 'base64url'),
      prefix: text('The prefix of the signature.'),
      signatureHeader: text('The header of the signature.'),
      scheme: choice('What is signed.', 'timestamp-body', 'method-path-body', 'standard-webhooks'),
      message: text('A template of the signed message, such as `{timestamp}.{body}`.'),
      timestampHeader: either(
        'The header of the timestamp.',
        text('Its name.'),
        off('For servers without a signed timestamp.'),
      ),
      nonceHeader: text('The header of a nonce.'),
      keyId: publicText('The name of the secret, for the server.'),
      keyIdHeader: text('The header of `keyId`.'),
    },
    make: (options: Parameters<typeof hmac>[0]) => hmac(options),
  },
  httpSignature: {
    description: 'HTTP message signature',
    options: {
      keyId: text('The name of the key at the server.', required),
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
      components: texts('The components that every request signs.'),
      optionalComponents: texts('Headers that are signed if the request has them.'),
      digest: either(
        'The hash of the body.',
        choice('Its name.', 'sha-256', 'sha-512'),
        off('No hash: the body is not signed.'),
      ),
      created: flag('Whether the signature contains its creation time.'),
      expiresIn: number('Seconds until the signature expires.'),
      nonce: flag('Whether each attempt contains a new random value.'),
      tag: text('The purpose of the signature.'),
      label: text('The name of the signature in its headers.'),
      includeAlgorithm: flag('Whether the signature names its algorithm.'),
    },
    make: (options: Parameters<typeof httpSignature>[0]) => httpSignature(options),
  },
  jwt: {
    description: 'signed JWT',
    options: {
      algorithm: text('The JOSE name of the signature, such as `ES256`.'),
      secret: secret('The shared secret of HS256, HS384 and HS512.'),
      key: secret('The private key: PEM or JWK.'),
      keyId: text('The `kid` header.'),
      header: textMap('Further header fields.'),
      issuer: text('The `iss` claim.'),
      subject: text('The `sub` claim.'),
      audience: either('The `aud` claim.', text('One.'), texts('Several.')),
      expiresIn: number('The lifetime of a token in seconds.'),
      notBefore: flag('Whether tokens carry the `nbf` claim.'),
      jwtId: flag('Whether tokens carry a `jti` claim.'),
      claims: json('Further claims.'),
      perRequest: flag('Sign a new token for each request.'),
    },
    make: (options: Parameters<typeof jwt>[0]) => jwt(options),
  },
  awsSigV4: {
    description: 'AWS signature',
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
    subjectToken: secret('The token of the party on whose behalf the client acts.', required),
    subjectTokenType: tokenType,
    actorToken: secret('The token of the acting party.'),
    actorTokenType: tokenType,
    audience: text('The audience of the new token.'),
  }),
  jwtBearer: grant('workload identity', 'jwtBearer', {
    clientId,
    issuer,
    assertion: secret('The assertion, such as `file:/var/run/secrets/tokens/mcp`.', required),
  }),
  workload: workload(),
  enterpriseManaged: enterprise(),
  tokenEndpoint: {
    description: 'token of a custom endpoint',
    needs: 'oauth',
    options: {
      url: text('The endpoint.', required),
      fields: secretMap('The members of the request.', required),
      format: choice('The format of the request body.', 'json', 'form'),
      headers: secretMap('Further request headers.'),
      tokenField: text(
        'The member of the response that contains the token; dots separate nested members.',
      ),
      expiresInField: text('The member that contains the lifetime in seconds.'),
    },
    make: (options: Parameters<OAuthModule['tokenEndpoint']>[0], { oauth }) =>
      loaded(oauth).tokenEndpoint(options),
  },
}

/** The client authenticates with the platform's token, so it has no secret. */
function workload(): ProviderEntry {
  const { clientSecret: _secret, clientAuth: _auth, ...shared } = sharedSpecs
  return {
    description: 'workload identity',
    needs: 'workload',
    options: {
      ...shared,
      issuer,
      audience: text("The audience of the platform's token. Default: `issuer`."),
      grant: choice(
        "How the platform's token is used: as an assertion, for token exchange, or for client authentication.",
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
        issuer: text('Its issuer, exactly as in its metadata.', required),
        tokenEndpoint: text('Its token endpoint, if it publishes no metadata.'),
        clientId: text('The client ID at the identity provider.', required),
        ...(clientSecret === undefined ? {} : { clientSecret }),
        ...(clientAuth === undefined ? {} : { clientAuth }),
      },
      required,
    ),
    subjectToken: secret("The token of the user's sign-in at the identity provider.", required),
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
    description: 'all of',
    options: { providers: providers('The providers that are applied to each request, in order.') },
    make: ({ providers: parts }: Combined) => all(...parts),
  },
  firstAvailable: {
    description: 'first of',
    options: { providers: providers('The providers; the first with a credential is used.') },
    make: ({ providers: parts }: Combined) => firstAvailable(...parts),
  },
  rotating: {
    description: 'rotating',
    options: { providers: providers('Keys that replace each other, the primary first.') },
    make: ({ providers: parts }: Combined) => rotating(parts),
  },
}

/** All providers of config files. */
export const providerTable: ReadonlyMap<string, ProviderEntry> = new Map(
  Object.entries({ ...staticProviders, ...signers, ...grants, ...combined }),
)
