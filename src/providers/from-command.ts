/**
 * Tokens that a command prints.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { command, describeSecret, readSecret } from '../secret.ts'
import { jwtExpiry, tokenProblem } from './bearer.ts'

/**
 * Sends the token that a command prints as `Authorization: Bearer`, and runs the command again before
 * the token expires and after a 401. There is no shell, standard input is closed, and standard error
 * is not shown.
 *
 * The output is the token itself, or JSON with the token as `accessToken`, `access_token` or `token`,
 * at the top or within `credential`. JSON may give the expiry as `expiresIn` or `expires_in` in
 * seconds, or as `expires_on`, `expiresOn`, `expiration`, `Expiration`, `expiry` or `token_expiry`: a
 * date, which is local time without a zone, or seconds since the epoch. Otherwise the `exp` of a JWT
 * is used, for timing only; nothing is verified.
 *
 * @param argv - The program and its arguments.
 * @returns A provider that throws {@link CredentialError} with the code `secret_unavailable` when the
 * command fails, prints nothing or takes too long, and `invalid_response` when its output is not
 * valid. The message never quotes the output.
 * @throws {@link ConfigurationError} when the program is missing or the time limit is not positive.
 *
 * @example
 * ```ts
 * import { fromCommand } from 'mcp-credentials'
 *
 * const azure = fromCommand(['az', 'account', 'get-access-token', '--resource', 'api://mcp-server'])
 * const google = fromCommand(['gcloud', 'config', 'config-helper', '--format=json'])
 * ```
 * @group Keys, tokens and passwords
 */
export function fromCommand(
  argv: readonly string[],
  options: {
    /** Seconds that it may take. Default 30. */
    readonly timeout?: number
  } = {},
): CredentialProvider {
  checkOptions('fromCommand', options, ['timeout'])
  const source = command(argv, options)
  return {
    name: 'fromCommand',
    source: describeSecret(source),
    async acquire({ now, signal }) {
      // A lifetime in seconds is counted from before the command ran, so it is never overestimated.
      const start = now()
      const output = await readSecret('fromCommand', source, {
        signal,
        problemOf: () => undefined,
      })
      const { token, expiresAt } = parse(output.trim(), start)
      return {
        // An expired token is still sent, so that the server's refusal is reported.
        ...(expiresAt === undefined || expiresAt <= now() ? {} : { expiresAt }),
        apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`),
      }
    },
  }
}

interface Printed {
  readonly token: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | undefined
}

type Fields = Readonly<Record<string, unknown>>

const tokenNames = ['accessToken', 'access_token', 'token']
const lifeNames = ['expiresIn', 'expires_in']
// Azure prints both of the first two; the one in seconds does not depend on the time zone.
const timeNames = ['expires_on', 'expiresOn', 'expiration', 'Expiration', 'expiry', 'token_expiry']

function parse(output: string, now: number): Printed {
  const value = /^[{"]/.test(output) ? parseJson(output) : output
  const fields = fieldsOf(value)
  const token = fields === undefined ? value : find(fields, tokenNames)?.[1]
  if (typeof token !== 'string') throw unusable(`JSON without ${tokenNames.join(', ')}`)
  if (tokenProblem(token) !== undefined) throw unusable('a text that is not a token')
  const stated = fields === undefined ? undefined : statedExpiry(fields, now)
  return { token, expiresAt: stated ?? jwtExpiry(token, now) }
}

function parseJson(output: string): unknown {
  try {
    return JSON.parse(output)
  } catch {
    // The error of JSON.parse quotes the text.
    throw unusable('invalid or truncated JSON')
  }
}

/** The fields that describe the token: `gcloud` prints them within `credential`. */
function fieldsOf(value: unknown): Fields | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const { credential } = value as { credential?: unknown }
  return (typeof credential === 'object' && credential !== null ? credential : value) as Fields
}

function statedExpiry(fields: Fields, now: number): number | undefined {
  const life = find(fields, lifeNames)
  const [name, value] = life ?? find(fields, timeNames) ?? []
  if (name === undefined) return undefined
  const isNumber = typeof value === 'number' || /^\d+$/.test(String(value))
  const time = isNumber
    ? Number(value) * 1000
    : life === undefined
      ? Date.parse(String(value))
      : NaN
  if (!Number.isFinite(time)) throw unusable(`JSON whose \`${name}\` is not a time`)
  return life === undefined ? time : now + time
}

function find(fields: Fields, names: readonly string[]): [string, unknown] | undefined {
  const name = names.find((candidate) => (fields[candidate] ?? undefined) !== undefined)
  return name === undefined ? undefined : [name, fields[name]]
}

function unusable(what: string): CredentialError {
  return new CredentialError('invalid_response', `fromCommand: the command printed ${what}.`, {
    provider: 'fromCommand',
    remedy: 'Change the command to print only the token, or JSON with the token as `accessToken`.',
  })
}
