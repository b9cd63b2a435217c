/**
 * The token with which a platform identifies a workload.
 *
 * @module
 */
import { readFile, stat } from 'node:fs/promises'
import { fromBase64 } from '../encoding.ts'
import { CredentialError, describeThrown } from '../errors.ts'
import { resourceLabel } from '../labels.ts'

/** A detected platform. */
export interface Platform {
  /** Its description. */
  readonly name: string
  /**
   * Requests a token for an audience.
   *
   * @throws `CredentialError` with the code `secret_unavailable` when it provides none.
   */
  token(audience: string, signal: AbortSignal | undefined): Promise<string>
}

/** The default path of a projected Kubernetes token for this library. */
export const projectedToken = '/var/run/secrets/tokens/mcp'
const longestToken = 65_536

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Detects the platform of this process; `undefined`: none was found.
 *
 * @param tokenFile - The token file of the options; if it exists, it is used as the platform.
 */
export async function findPlatform(
  env: Environment,
  tokenFile: string | undefined,
): Promise<Platform | undefined> {
  const { ACTIONS_ID_TOKEN_REQUEST_URL: url, ACTIONS_ID_TOKEN_REQUEST_TOKEN: bearer } = env
  if (url && bearer) return githubActions(url, bearer)
  const files = [
    ['a projected token', tokenFile],
    ['Azure workload identity', env['AZURE_FEDERATED_TOKEN_FILE']],
    ['AWS web identity', env['AWS_WEB_IDENTITY_TOKEN_FILE']],
    ['a projected Kubernetes token', tokenFile === undefined ? projectedToken : undefined],
  ] as const
  for (const [name, path] of files) {
    if (path && (await isFile(path))) return fileToken(name, path)
  }
  return undefined
}

/** @see https://docs.github.com/actions/reference/security/oidc */
function githubActions(requestUrl: string, bearer: string): Platform {
  const name = 'GitHub Actions'
  return {
    name,
    async token(audience, signal) {
      const url = URL.canParse(requestUrl) ? new URL(requestUrl) : undefined
      if (url?.protocol !== 'https:') throw unavailable(name, 'has no https URL for tokens')
      url.searchParams.set('audience', audience)
      let answer: unknown
      try {
        const response = await fetch(url, {
          headers: { Authorization: `Bearer ${bearer}`, Accept: 'application/json' },
          redirect: 'error',
          ...(signal === undefined ? {} : { signal }),
        })
        if (!response.ok) throw unavailable(name, `responded with status ${response.status}`)
        answer = await response.json()
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof CredentialError) throw error
        throw unavailable(name, `could not be reached (${describeThrown(error)})`, true)
      }
      return checked(name, (answer as { readonly value?: unknown } | null)?.value, audience)
    },
  }
}

function fileToken(name: string, path: string): Platform {
  return {
    name,
    async token(audience, signal) {
      let text: string
      try {
        text = await readFile(path, {
          encoding: 'utf8',
          ...(signal === undefined ? {} : { signal }),
        })
      } catch (error) {
        signal?.throwIfAborted()
        throw unavailable(name, `could not be read from its file (${describeThrown(error)})`, true)
      }
      return checked(name, text.trim(), audience)
    },
  }
}

/**
 * Refuses a token for another audience: its recipient could use it there, such as at the API of the cluster
 * or at the cloud's token service.
 */
function checked(name: string, token: unknown, audience: string): string {
  if (typeof token !== 'string' || token.length > longestToken) {
    throw unavailable(name, 'returned a value that is not a token')
  }
  const audiences = audiencesOf(token)
  if (audiences === undefined) throw unavailable(name, 'returned a token that is not a JWT')
  if (audiences.includes(audience)) return token
  throw unavailable(
    name,
    `returned a token for an audience other than ${resourceLabel(audience)}, so it was not sent`,
  )
}

function audiencesOf(token: string): readonly unknown[] | undefined {
  const [, payload, signature] = token.split('.')
  if (payload === undefined || signature === undefined) return undefined
  try {
    const claims: unknown = JSON.parse(new TextDecoder().decode(fromBase64(payload)))
    return [(claims as { readonly aud?: unknown }).aud].flat()
  } catch {
    return undefined
  }
}

async function isFile(path: string): Promise<boolean> {
  return stat(path).then(
    (stats) => stats.isFile(),
    () => false,
  )
}

function unavailable(name: string, problem: string, retryable = false): CredentialError {
  return new CredentialError('secret_unavailable', `${name} ${problem}.`, {
    retryable,
    remedy: 'Configure the platform to issue a token for the audience of the `auth` block.',
  })
}
