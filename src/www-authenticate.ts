/**
 * Parses `WWW-Authenticate`.
 *
 * @module
 */
import type { Challenge } from './credential.ts'

// Real headers are much shorter; a hostile one must not cost time.
const maxLength = 16_384

const token = /[!#$%&'*+\-.^_`|~0-9A-Za-z]+/y
const token68 = /[A-Za-z0-9\-._~+/]+=*/y
const quoted = /"((?:[^"\\]|\\.)*)"/y
const space = /[ \t]*/y
const listGap = /[ \t,]*/y

/**
 * Parses every challenge of a `WWW-Authenticate` header: several schemes in one value, quoted strings with
 * escapes, and token68 values. Malformed parts are skipped up to the next comma; the function never throws.
 *
 * @param header - The header's value; several headers joined by commas, as `Headers.get` does.
 * @see RFC 9110, sections 11.2, 11.3 and 11.6.1
 *
 * @example
 * ```ts
 * import { parseChallenges } from 'mcp-credentials'
 *
 * const [challenge] = parseChallenges('Bearer error="insufficient_scope", scope="files:write"')
 * console.log(challenge?.scheme, challenge?.parameters.get('scope'))
 * ```
 * @group Providers of your own
 */
export function parseChallenges(header: string | null | undefined): Challenge[] {
  if (header === null || header === undefined) return []
  const scanner = new Scanner(header.slice(0, maxLength))
  const challenges: Challenge[] = []
  for (;;) {
    scanner.take(listGap)
    if (scanner.done) return challenges
    const scheme = scanner.take(token)
    const challenge = scheme === undefined ? undefined : parseChallenge(scheme, scanner)
    if (challenge === undefined) scanner.skipToComma()
    else challenges.push(challenge)
  }
}

function parseChallenge(scheme: string, scanner: Scanner): Challenge | undefined {
  // `name=value` where a scheme is expected is a parameter without a challenge.
  if (scanner.next === '=') return undefined
  const parameters = new Map<string, string>()
  const challenge = { scheme: scheme.toLowerCase(), parameters }
  if (scanner.take(space) === '') return challenge
  const opaque = scanner.attempt(() => {
    const value = scanner.take(token68)
    scanner.take(space)
    return value !== undefined && (scanner.done || scanner.next === ',') ? value : undefined
  })
  // A word alone is the next scheme's name only after a comma, so here it is the opaque value.
  if (opaque !== undefined) return { ...challenge, token68: opaque }
  while (parseParameter(scanner, parameters)) {
    const more = scanner.attempt(() => {
      const gap = scanner.take(listGap)
      return gap?.includes(',') === true && isParameter(scanner) ? gap : undefined
    })
    if (more === undefined) break
  }
  return challenge
}

function isParameter(scanner: Scanner): boolean {
  const found = scanner.peek(() => {
    const name = scanner.take(token)
    scanner.take(space)
    return name !== undefined && scanner.next === '=' ? name : undefined
  })
  return found !== undefined
}

function parseParameter(scanner: Scanner, parameters: Map<string, string>): boolean {
  const pair = scanner.attempt(() => {
    const name = scanner.take(token)
    scanner.take(space)
    if (name === undefined || scanner.next !== '=') return undefined
    scanner.skip()
    scanner.take(space)
    const value = scanner.takeQuoted() ?? scanner.take(/[^\s,"]+/y)
    return value === undefined ? undefined : ([name.toLowerCase(), value] as const)
  })
  if (pair === undefined) return false
  // RFC 9110 section 11.2: a name occurs once; if it is repeated, the first one counts.
  if (!parameters.has(pair[0])) parameters.set(pair[0], pair[1])
  return true
}

class Scanner {
  readonly #text: string
  #position = 0

  constructor(text: string) {
    this.#text = text
  }

  get done(): boolean {
    return this.#position >= this.#text.length
  }

  get next(): string | undefined {
    return this.#text[this.#position]
  }

  skip(): void {
    this.#position += 1
  }

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.#position
    const match = pattern.exec(this.#text)
    if (match === null) return undefined
    this.#position = pattern.lastIndex
    return match[0]
  }

  takeQuoted(): string | undefined {
    return this.take(quoted)?.slice(1, -1).replace(/\\(.)/g, '$1')
  }

  skipToComma(): void {
    const comma = this.#text.indexOf(',', this.#position)
    this.#position = comma === -1 ? this.#text.length : comma + 1
  }

  attempt<T>(parse: () => T | undefined): T | undefined {
    const start = this.#position
    const result = parse()
    if (result === undefined) this.#position = start
    return result
  }

  peek<T>(parse: () => T | undefined): T | undefined {
    const start = this.#position
    const result = parse()
    this.#position = start
    return result
  }
}
