/**
 * Checks that are the same for the options of every function.
 *
 * @module
 */
import { ConfigurationError } from './errors.ts'

/**
 * Refuses unknown options, so that a misspelled option is not silently ignored.
 *
 * @param where - The function that takes the options, such as `apiKey`.
 * @throws {@link ConfigurationError} that names the unknown option and the known ones.
 */
export function checkOptions(where: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || options instanceof URL) {
    throw new ConfigurationError(where, `${where}: pass an object with ${known.join(', ')}.`)
  }
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue
    throw new ConfigurationError(
      `${where}.${key}`,
      `${where}: there is no option \`${key}\`; the options are ${known.join(', ')}.`,
    )
  }
}

/**
 * Checks the account of a login, which becomes a part of the key of its record.
 *
 * @throws {@link ConfigurationError} when its key could be the key of another account.
 */
export function checkAccount(account: unknown): void {
  if (typeof account === 'string' && /^[^|\p{Cc}\p{Cs}]+$/u.test(account)) return
  throw new ConfigurationError('account', '`account` must be a text without `|`.')
}

/** No time limit or lease of a store needs more seconds. A larger number is probably in milliseconds. */
const maxSeconds = 600

/**
 * Checks options that are numbers of seconds.
 *
 * @param where - The function that takes the options, such as `redisStore`.
 * @throws {@link ConfigurationError} when one is given that is not above 0 and at most 600.
 */
export function checkSeconds(where: string, options: Readonly<Record<string, unknown>>): void {
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined) continue
    if (typeof value === 'number' && value > 0 && value <= maxSeconds) continue
    throw new ConfigurationError(
      `${where}.${option}`,
      `${where}.${option} must be a number of seconds, above 0 and at most ${maxSeconds}.`,
    )
  }
}
