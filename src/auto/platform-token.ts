/**
 * The token that a platform gives a process to prove which workload it is.
 *
 * @module
 */
import { readFile, stat } from 'node:fs/promises'
import { fromBase64 } from '../encoding.ts'
import { CredentialError, describeThrown } from '../errors.ts'
import { resourceLabel } from '../labels.ts'

/** A platform that announces itself. */
export interface Platform {
  /** What it is, in words. */
  readonly name: string
  /**
   * Gets a token for an audience.
   *
   * @throws `CredentialError` with the code `secret_unavailable` when it has none.
   */
  token(audience: string, signal: AbortSignal | undefined): Promise<string>
}

/** Where Kubernetes projects a token that is meant for this library, unless the options say otherwise. */
export const projectedToken = '/var/run/secrets/tokens/mcp'
const longestToken = 65_536

/** The variables of a process. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * Finds the platform of this process; `undefined`: none announces itself.
 *
 * @param tokenFile - A file of the options; it is a platform of its own when it is there.
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
      if (url?.protocol !== 'https:') throw unavailable(name, 'names no https URL for its tokens')
      url.searchParams.set('audience', audience)
      let answer: unknown
      try {
        const response = await fetch(url, {
          headers: { Authorization: `Bearer ${bearer}`, Accept: 'application/json' },
          redirect: 'error',
          ...(signal === undefined ? {} : { signal }),
        })
        if (!response.ok) throw unavailable(name, `answered with status ${response.status}`)
        answer = await response.json()
      } catch (error) {
        signal?.throwIfAborted()
        if (error instanceof CredentialError) throw error
        throw unavailable(name, `could not be asked (${describeThrown(error)})`, true)
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
        throw unavailable(name, `is in a file that cannot be read (${describeThrown(error)})`, true)
      }
      return checked(name, text.trim(), audience)
    },
  }
}

/**
 * Refuses a token for another audience: whoever receives it could use it there, such as at the API of the cluster
 * or at the cloud's token service.
 */
function checked(name: string, token: unknown, audience: string): string {
  if (typeof token !== 'string' || token.length > longestToken) {
    throw unavailable(name, 'gave something that is no token')
  }
  const audiences = audiencesOf(token)
  if (audiences === undefined) throw unavailable(name, 'gave a token that is no JWT')
  if (audiences.includes(audience)) return token
  throw unavailable(
    name,
    `gave a token for another audience than ${resourceLabel(audience)}, so it was not sent`,
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
    remedy: 'Ask the platform for a token with the audience of the `auth` block.',
  })
}
