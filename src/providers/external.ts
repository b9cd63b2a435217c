/**
 * Tokens that another library obtains and caches.
 *
 * @module
 */
import type { Challenge, CredentialProvider } from '../credential.ts'
import { fromBase64 } from '../encoding.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { headerValueProblem } from '../secret.ts'

/**
 * Sends the token of an Azure `TokenCredential` as `Authorization: Bearer`, and requests another before it
 * expires. Continuous access evaluation is on: when the server's 401 requires claims, a token with these
 * claims is requested.
 *
 * @param credential - A credential, for example of `@azure/identity`. It is called again after a 401, but may
 * return the same token until that is about to expire.
 * @param scope - The scope of the token, such as `api://<client id of the server>/.default`.
 * @returns A provider that throws {@link CredentialError} with the code `acquire_failed` when the
 * credential has no token, and `invalid_response` when it returns something else.
 * @throws {@link ConfigurationError} when the credential has no `getToken`, or no scope is given.
 * @see https://learn.microsoft.com/entra/identity-platform/claims-challenge
 *
 * @example
 * ```ts
 * import { fromTokenCredential } from 'mcp-credentials'
 *
 * declare const credential: Parameters<typeof fromTokenCredential>[0] // new DefaultAzureCredential(), say
 *
 * const provider = fromTokenCredential(credential, 'api://mcp-server/.default')
 * ```
 * @group Keys, tokens and passwords
 */
export function fromTokenCredential(
  credential: {
    /** Returns a token for the scopes; `null`: there is none. */
    getToken(
      scopes: string | string[],
      options?: {
        /** Aborts when the acquisition has ended. */
        abortSignal?: AbortSignal
        /** The claims that the server requires in the token, as JSON. */
        claims?: string
        /** Whether the token may be long-lived, because the server can require another at any time. */
        enableCae?: boolean
      },
    ): Promise<{
      /** The access token. */
      readonly token: string
      /** When it expires, in milliseconds since the epoch. */
      readonly expiresOnTimestamp: number
      /** When it should be renewed, in milliseconds since the epoch. */
      readonly refreshAfterTimestamp?: number | undefined
    } | null>
  },
  scope: string | readonly string[],
): CredentialProvider {
  const scopes = checkTokenCredential(credential, scope)
  return {
    name: 'fromTokenCredential',
    async acquire({ signal, challenges }) {
      const claims = claimsOf(challenges)
      const found = await credential.getToken(scopes, {
        abortSignal: signal,
        enableCae: true,
        ...(claims === undefined ? {} : { claims }),
      })
      checkToken(found)
      const { token, expiresOnTimestamp, refreshAfterTimestamp } = found
      return {
        expiresAt: expiresOnTimestamp,
        ...(refreshAfterTimestamp === undefined ? {} : { refreshAt: refreshAfterTimestamp }),
        apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`),
      }
    },
  }
}

type TokenCredential = Parameters<typeof fromTokenCredential>[0]
type AzureToken = Awaited<ReturnType<TokenCredential['getToken']>>

/** Checks the arguments, and returns the scopes in the form that `getToken` takes. */
function checkTokenCredential(
  credential: TokenCredential,
  scope: string | readonly string[],
): string | string[] {
  if (typeof credential?.getToken !== 'function') {
    throw new ConfigurationError(
      'fromTokenCredential.credential',
      'fromTokenCredential: pass an object with `getToken`, such as new DefaultAzureCredential().',
    )
  }
  const scopes = typeof scope === 'string' ? scope : [...(scope ?? [])]
  if (scopes.length === 0 || [scopes].flat().some((item) => typeof item !== 'string' || !item)) {
    throw new ConfigurationError(
      'fromTokenCredential.scope',
      'fromTokenCredential: pass the scope of the token, such as api://mcp-server/.default.',
    )
  }
  return scopes
}

function checkToken(found: AzureToken): asserts found is NonNullable<AzureToken> {
  if (found === null) {
    throw new CredentialError(
      'acquire_failed',
      'fromTokenCredential: the credential has no token.',
      { provider: 'fromTokenCredential', remedy: 'Check its configuration, or log in.' },
    )
  }
  if (isHeaderValue(found.token) && Number.isFinite(found.expiresOnTimestamp)) return
  throw new CredentialError(
    'invalid_response',
    'fromTokenCredential: the credential returned no valid token, or no expiry.',
    {
      provider: 'fromTokenCredential',
      remedy: 'Resolve `getToken` to { token, expiresOnTimestamp }.',
    },
  )
}

/** The claims that a server requires, as JSON; `undefined`: none, or malformed. */
function claimsOf(challenges: readonly Challenge[]): string | undefined {
  const encoded = challenges
    .filter(({ scheme, parameters }) => {
      return scheme === 'bearer' && parameters.get('error') === 'insufficient_claims'
    })
    .map(({ parameters }) => parameters.get('claims'))
    .find((claims) => claims !== undefined)
  const bytes = encoded === undefined ? undefined : fromBase64(encoded)
  const text = new TextDecoder().decode(bytes)
  try {
    const claims: unknown = JSON.parse(text)
    return typeof claims === 'object' && claims !== null ? text : undefined
  } catch {
    return undefined
  }
}

/**
 * Sends the headers that `google-auth-library` returns, and requests new ones before the token expires.
 *
 * A server on Cloud Run or behind Identity-Aware Proxy requires an ID token for its own address: pass
 * `await new GoogleAuth().getIdTokenClient(audience)`. An access token gives access to Google's own services:
 * never send one to another operator's server.
 *
 * @param auth - A `GoogleAuth`, or any client, such as `OAuth2Client`, `JWT`, `Impersonated` or an
 * `IdTokenClient`. It is called again after a 401, but may return the same token until that is about to expire.
 * @returns A provider that throws {@link CredentialError} with the code `acquire_failed` when there
 * are no headers, and `invalid_response` when they cannot be sent.
 * @throws {@link ConfigurationError} when the object has no `getRequestHeaders`.
 *
 * @example
 * ```ts
 * import { fromGoogleAuth } from 'mcp-credentials'
 *
 * declare const client: Parameters<typeof fromGoogleAuth>[0] // await new GoogleAuth().getIdTokenClient(audience), say
 *
 * const provider = fromGoogleAuth(client)
 * ```
 * @group Keys, tokens and passwords
 */
export function fromGoogleAuth(auth: {
  /** The client's current credentials. */
  readonly credentials?: {
    /** When the access token expires, in milliseconds since the epoch. */
    readonly expiry_date?: number | null
  }
  /** Returns the headers for a request: a `Headers` since version 10, a plain object before. */
  getRequestHeaders(
    url?: string,
  ): Promise<Iterable<readonly [string, string]> | Readonly<Record<string, string>>>
  /** Returns the client of a `GoogleAuth`. */
  getClient?(): Promise<object>
}): CredentialProvider {
  if (typeof auth?.getRequestHeaders !== 'function') {
    throw new ConfigurationError(
      'fromGoogleAuth.auth',
      'fromGoogleAuth: pass a GoogleAuth or one of its clients; a promise must be awaited first.',
    )
  }
  return {
    name: 'fromGoogleAuth',
    async acquire({ resource, now }) {
      const found = await auth.getRequestHeaders(resource.href)
      const values = Symbol.iterator in found ? [...found] : Object.entries(found)
      checkValues(values)
      const client: Pick<typeof auth, 'credentials'> = (await auth.getClient?.()) ?? auth
      const expiry = client.credentials?.expiry_date
      // A client that signs its own tokens keeps an `expiry_date` of 1, which is not a time.
      const isExpiry = typeof expiry === 'number' && expiry > now()
      return {
        ...(isExpiry ? { expiresAt: expiry } : {}),
        apply({ headers }) {
          for (const [name, value] of values) headers.set(name, value)
        },
      }
    },
  }
}

function checkValues(values: readonly (readonly [string, string])[]): void {
  if (values.length === 0) {
    throw new CredentialError(
      'acquire_failed',
      'fromGoogleAuth: the client returned no headers; it has no credentials.',
      { provider: 'fromGoogleAuth', remedy: 'Give it credentials, and scopes or an audience.' },
    )
  }
  if (values.some(([, value]) => !isHeaderValue(value))) {
    throw new CredentialError(
      'invalid_response',
      'fromGoogleAuth: the client returned a header that cannot be sent.',
      { provider: 'fromGoogleAuth' },
    )
  }
}

function isHeaderValue(value: unknown): value is string {
  return typeof value === 'string' && headerValueProblem(value) === undefined
}
