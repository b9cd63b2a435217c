/**
 * Step-up: which scopes are asked for, which were granted and refused, and how often.
 *
 * @module
 */
import { RateWindow } from '../rate-window.ts'
import { scopeCovers, scopeUnion } from '../scope.ts'

/** How long a scope that was not granted is not asked for again, in milliseconds. */
export const stepUpPauseMs = 600_000
/** Of how many scopes the outcome is remembered. */
const maxResults = 3
/** Scopes of servers are longer than names; texts of thousands of characters are an attack. */
const maxScopeLength = 2000
/** RFC 6749, section 3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** The scopes of one resource. All times are on the clock for pauses. */
export class ScopeLadder {
  readonly #clock: () => number
  /** What step-ups have brought so far. */
  #granted: string | undefined
  /** Who has granted that. */
  #issuer: string | undefined
  /** Step-ups, whatever the server asks for: each may be a login. */
  readonly #attempts = new RateWindow()
  /** What became of the last step-ups, by what was asked for. */
  readonly #results = new Map<string, { readonly at: number; readonly refused: boolean }>()

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** The scopes for ordinary acquisitions; `undefined`: there was no step-up, so the provider decides. */
  get scope(): string | undefined {
    return this.#granted
  }

  /**
   * Says what to ask for.
   *
   * @param held - The scopes of the present credential.
   * @param named - The scopes that the server's challenge names.
   * @returns The union, as MCP asks for; `undefined`: it was refused a short time ago, too much was asked
   * for already, or the server's text is no scope.
   */
  plan(held: string | undefined, named: string): string | undefined {
    if (named.length > maxScopeLength) return undefined
    const tokens = named.split(' ').filter((token) => token !== '')
    if (tokens.length === 0 || !tokens.every((token) => scopeToken.test(token))) return undefined
    const union = scopeUnion(scopeUnion(this.#granted, held ?? ''), named)
    if (union.length > 2 * maxScopeLength) return undefined
    const now = this.#clock()
    const result = this.#results.get(union)
    // A server that asks for what it has granted a short time ago is not content with anything.
    const isPointless = result?.refused === true || scopeCovers(held, union)
    if (result !== undefined && now - result.at < stepUpPauseMs && isPointless) return undefined
    return this.#attempts.isFull(now) ? undefined : union
  }

  /** A credential came: what another issuer granted means nothing to this one. */
  adopted(issuer: string | undefined): void {
    if (this.#issuer !== undefined && issuer !== this.#issuer) this.#granted = undefined
    this.#issuer = issuer
  }

  /** A step-up begins. */
  begin(): void {
    this.#attempts.add(this.#clock())
  }

  /** The step-up ended before the provider was asked. */
  undo(): void {
    this.#attempts.undo()
  }

  /**
   * A step-up brought a credential.
   *
   * @param asked - What was asked for.
   * @param scope - What was granted; `undefined`: what was asked for (RFC 6749, section 5.1).
   */
  granted(asked: string, scope: string | undefined): void {
    const granted = scope ?? asked
    const all = scopeUnion(this.#granted, granted)
    this.#granted = all.length > maxScopeLength ? granted : all
    this.#record(asked, !scopeCovers(granted, asked))
  }

  /** A step-up was refused. */
  refused(asked: string): void {
    this.#record(asked, true)
  }

  /** A login makes up for refusals. */
  forgive(): void {
    this.#attempts.clear()
    this.#results.clear()
  }

  /** A logout ends everything. */
  clear(): void {
    this.forgive()
    this.#granted = undefined
    this.#issuer = undefined
  }

  #record(asked: string, refused: boolean): void {
    if (this.#results.size >= maxResults) this.#results.clear()
    this.#results.set(asked, { at: this.#clock(), refused })
  }
}
