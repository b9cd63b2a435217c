/**
 * A user name and a password.
 *
 * @module
 */
import type { CredentialProvider, Secret } from '../credential.ts'
import { toBase64 } from '../encoding.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, describeSecret, readSecret } from '../secret.ts'

/**
 * Sends user name and password as `Authorization: Basic`, encoded as UTF-8.
 *
 * @throws {@link ConfigurationError} when the user name is empty or contains a colon, or when
 * either contains a control character.
 * @see RFC 7617, section 2
 *
 * @example
 * ```ts
 * import { basic, env } from 'mcp-credentials'
 *
 * const provider = basic({ username: 'agent', password: env('MCP_PASSWORD') })
 * ```
 * @group Keys, tokens and passwords
 */
export function basic(options: {
  /** The user name; it cannot contain a colon. */
  readonly username: Secret
  /** The password. */
  readonly password: Secret
}): CredentialProvider {
  checkOptions('basic', options, ['username', 'password'])
  const { username, password } = options
  checkSecret('basic.username', username, usernameProblem)
  checkSecret('basic.password', password, passwordProblem)
  return {
    name: 'basic',
    source: describeSecret(password),
    async acquire({ signal }) {
      const [user, secret] = await Promise.all([
        readSecret('basic.username', username, { signal, problemOf: usernameProblem }),
        readSecret('basic.password', password, { signal, problemOf: passwordProblem }),
      ])
      const value = `Basic ${toBase64(new TextEncoder().encode(`${user}:${secret}`))}`
      return { apply: ({ headers }) => headers.set('Authorization', value) }
    },
  }
}

function usernameProblem(value: string): string | undefined {
  if (value.includes(':')) return 'contains a colon, which Basic authentication cannot carry'
  return passwordProblem(value)
}

function passwordProblem(value: string): string | undefined {
  if (value === '') return 'is empty'
  return /\p{Cc}/u.test(value) ? 'contains a control character' : undefined
}
