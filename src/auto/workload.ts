/**
 * The workload identity of this process.
 *
 * @module
 */
import type { CredentialProvider, Secret } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { clientCredentials } from '../oauth/client-credentials.ts'
import { jwtBearer } from '../oauth/jwt-bearer.ts'
import type { OAuthOptions } from '../oauth/options.ts'
import { tokenExchange } from '../oauth/token-exchange.ts'
import { fromGoogleAuth, fromTokenCredential } from '../providers/external.ts'
import { type Environment, findPlatform } from './platform-token.ts'

/**
 * Options of {@link workloadIdentity}.
 *
 * @group Workload identity
 */
export interface WorkloadOptions
  extends Omit<OAuthOptions, 'clientSecret' | 'clientAuth' | 'issuer' | 'clientId'> {
  /** The authorization server that accepts the platform's token; the token is sent only there. */
  readonly issuer: string
  /** The client ID at that server. Not required if the library of Azure or Google is used. */
  readonly clientId?: string
  /** The audience of the platform's token; a token for another audience is not sent. Default: `issuer`. */
  readonly audience?: string
  /**
   * How the platform's token is used: as an assertion (RFC 7523, section 2.1), for token exchange (RFC
   * 8693), or for client authentication (RFC 7523, section 2.2). Default `jwt_bearer`.
   */
  readonly grant?: 'jwt_bearer' | 'token_exchange' | 'client_credentials'
  /**
   * The file of a projected token. Default: the file in the environment, otherwise
   * `/var/run/secrets/tokens/mcp`.
   */
  readonly tokenFile?: string
}

/**
 * The provider that {@link workloadIdentity} returns.
 *
 * @group Workload identity
 */
export type WorkloadProvider = CredentialProvider & {
  /** A description of the detected platform; `undefined`: none was found. */
  announced(): Promise<string | undefined>
}

type Grant = NonNullable<WorkloadOptions['grant']>

const name = 'workloadIdentity'
const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const grants: Readonly<
  Record<
    Grant,
    (options: OAuthOptions & WorkloadOptions & Known, token: Secret) => CredentialProvider
  >
> = {
  jwt_bearer: (options, assertion) => jwtBearer({ ...options, assertion }),
  token_exchange: (options, subjectToken) =>
    tokenExchange({ ...options, subjectToken, subjectTokenType: 'jwt' }),
  client_credentials: (options, token) =>
    clientCredentials({
      ...options,
      clientAuth: {
        method: 'private_key_jwt',
        audience: 'issuer',
        async prepare({ signal }) {
          const assertion = typeof token === 'string' ? token : await token({ signal })
          return (_server, _client, body) => {
            body.set('client_id', options.clientId)
            body.set('client_assertion_type', assertionType)
            body.set('client_assertion', assertion)
          }
        },
      },
    }),
}

interface Known {
  readonly clientId: string
}

/**
 * Authenticates with the workload identity of the platform: GitHub Actions, a projected token of
 * Kubernetes, `AZURE_FEDERATED_TOKEN_FILE` or `AWS_WEB_IDENTITY_TOKEN_FILE`. No secret must be stored. The
 * platform's token is sent only to `issuer`, and only if its audience is `audience`.
 *
 * If `issuer` is that of Microsoft Entra or Google, `@azure/identity` or `google-auth-library` is
 * installed, and no `clientId` is given, that library requests the token.
 *
 * @throws `ConfigurationError` when an option is invalid. An acquisition throws `CredentialError` with the
 *   code `secret_unavailable` when no platform is found, or its token is for another audience.
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { workloadIdentity } from 'mcp-credentials/auto'
 *
 * const options = withCredentials(
 *   workloadIdentity({ issuer: 'https://login.example.com', clientId: 'nightly-report' }),
 * )
 * ```
 * @group Workload identity
 */
export function workloadIdentity(options: WorkloadOptions): WorkloadProvider {
  return makeWorkload(options, process.env, (library) => import(library))
}

/** The same with the environment and the loader of libraries as arguments. */
export function makeWorkload(
  options: WorkloadOptions,
  env: Environment,
  load: (library: string) => Promise<unknown>,
): WorkloadProvider {
  const { audience = options.issuer, grant = 'jwt_bearer', tokenFile, ...shared } = options ?? {}
  const { issuer, clientId } = shared
  if (!Object.hasOwn(grants, grant)) {
    const text = `${name}.grant must be one of ${Object.keys(grants).join(', ')}.`
    throw new ConfigurationError(`${name}.grant`, text)
  }
  const library = clientId === undefined ? libraryOf(issuer) : undefined
  if (library !== undefined) return fromLibrary(library, { audience, scope: shared.scope }, load)
  if (clientId === undefined) {
    throw new ConfigurationError(
      `${name}.clientId`,
      `${name}.clientId is missing: pass the client ID that is registered with the authorization server.`,
    )
  }
  const token = async ({ signal }: { readonly signal?: AbortSignal | undefined }) => {
    const platform = await findPlatform(env, tokenFile)
    if (platform === undefined) throw notAnnounced()
    return platform.token(audience, signal)
  }
  return {
    ...grants[grant]({ ...shared, clientId }, token),
    announced: async () => (await findPlatform(env, tokenFile))?.name,
  }
}

interface Library {
  readonly name: string
  readonly platform: string
  make(
    module: never,
    target: { readonly audience: string; readonly scope: string | undefined },
  ): Promise<CredentialProvider>
}

const libraries: readonly (Library & { readonly hosts: readonly string[] })[] = [
  {
    name: '@azure/identity',
    platform: 'Azure',
    hosts: [
      'login.microsoftonline.com',
      'login.microsoftonline.us',
      'login.partner.microsoftonline.cn',
    ],
    make: async (
      module: {
        readonly DefaultAzureCredential: new () => Parameters<typeof fromTokenCredential>[0]
      },
      { audience, scope },
    ) => fromTokenCredential(new module.DefaultAzureCredential(), scope ?? `${audience}/.default`),
  },
  {
    name: 'google-auth-library',
    platform: 'Google Cloud',
    hosts: ['accounts.google.com'],
    make: async (
      module: {
        readonly GoogleAuth: new () => {
          getIdTokenClient(audience: string): Promise<Parameters<typeof fromGoogleAuth>[0]>
        }
      },
      { audience },
    ) => fromGoogleAuth(await new module.GoogleAuth().getIdTokenClient(audience)),
  },
]

function libraryOf(issuer: unknown): Library | undefined {
  if (typeof issuer !== 'string' || !URL.canParse(issuer)) return undefined
  const { protocol, host } = new URL(issuer)
  return libraries.find(({ hosts }) => protocol === 'https:' && hosts.includes(host))
}

/** A provider with the tokens of a cloud platform's library. */
function fromLibrary(
  library: Library,
  target: Parameters<Library['make']>[1],
  load: (library: string) => Promise<unknown>,
): WorkloadProvider {
  let making: Promise<CredentialProvider> | undefined
  const installed = () => load(library.name).catch(() => undefined)
  const provider = () => {
    making ??= installed().then((module) => {
      if (module === undefined) throw notAnnounced()
      return library.make(module as never, target)
    })
    making.catch(() => {
      making = undefined
    })
    return making
  }
  return {
    name,
    acquire: async (context) => (await provider()).acquire(context),
    announced: async () =>
      (await installed()) === undefined ? undefined : `${library.platform}, by ${library.name}`,
  }
}

function notAnnounced(): CredentialError {
  return new CredentialError(
    'secret_unavailable',
    'The environment provides no workload identity for this process.',
    {
      provider: name,
      remedy:
        'In GitHub Actions, give the job `permissions: id-token: write`; in Kubernetes, project a token, and set `tokenFile` to its path.',
    },
  )
}
