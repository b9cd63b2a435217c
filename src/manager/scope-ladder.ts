/**
 * Step-up: which scopes are requested, granted and refused, and how often.
 *
 * @module
 */
import { RateWindow } from '../rate-window.ts'
import { scopeCovers, scopeUnion } from '../scope.ts'

/** How long a scope that was not granted is not requested again, in milliseconds. */
export const stepUpPauseMs = 600_000
/** The number of step-ups whose outcome is kept. */
const maxResults = 3
/** Longer texts are not scopes, but an attack. */
const maxScopeLength = 2000
/** RFC 6749, section 3.3. */
const scopeToken = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/** The scopes of one resource. Times are on the monotonic clock. */
export class ScopeLadder {
  readonly #clock: () => number
  /** The scopes that step-ups have obtained so far. */
  #granted: string | undefined
  /** The issuer that granted them. */
  #issuer: string | undefined
  /** All step-ups, because each may be a login. */
  readonly #attempts = new RateWindow()
  /** The outcomes of the last step-ups, by requested scope. */
  readonly #results = new Map<string, { readonly at: number; readonly refused: boolean }>()

  constructor(clock: () => number) {
    this.#clock = clock
  }

  /** The scopes for ordinary acquisitions; `undefined`: no step-up yet, so the provider decides. */
  get scope(): string | undefined {
    return this.#granted
  }

  /**
   * Returns the scopes to request.
   *
   * @param held - The scopes of the current credential.
   * @param named - The scopes that the server's challenge names.
   * @returns The union, as MCP requires; `undefined`: it was refused recently, there were too many step-ups,
   * or the server's text is not a scope.
   */
  plan(held: string | undefined, named: string): string | undefined {
    if (named.length > maxScopeLength) return undefined
    const tokens = named.split(' ').filter((token) => token !== '')
    if (tokens.length === 0 || !tokens.every((token) => scopeToken.test(token))) return undefined
    const union = scopeUnion(scopeUnion(this.#granted, held ?? ''), named)
    if (union.length > 2 * maxScopeLength) return undefined
    const now = this.#clock()
    const result = this.#results.get(union)
    // A server that requires scopes which it granted recently will not accept any credential.
    const isPointless = result?.refused === true || scopeCovers(held, union)
    if (result !== undefined && now - result.at < stepUpPauseMs && isPointless) return undefined
    return this.#attempts.isFull(now) ? undefined : union
  }

  /** Handles a new credential: scopes that another issuer granted do not apply to this one. */
  adopted(issuer: string | undefined): void {
    if (this.#issuer !== undefined && issuer !== this.#issuer) this.#granted = undefined
    this.#issuer = issuer
  }

  /** Counts a step-up. */
  begin(): void {
    this.#attempts.add(this.#clock())
  }

  /** Removes a step-up that ended before the provider was called. */
  undo(): void {
    this.#attempts.undo()
  }

  /**
   * Records that a step-up succeeded.
   *
   * @param asked - The requested scopes.
   * @param scope - The granted scopes; `undefined`: the requested ones (RFC 6749, section 5.1).
   */
  granted(asked: string, scope: string | undefined): void {
    const granted = scope ?? asked
    const all = scopeUnion(this.#granted, granted)
    this.#granted = all.length > maxScopeLength ? granted : all
    this.#record(asked, !scopeCovers(granted, asked))
  }

  /** Records that a step-up was refused. */
  refused(asked: string): void {
    this.#record(asked, true)
  }

  /** Clears the refusals, for a login. */
  allowRetry(): void {
    this.#attempts.clear()
    this.#results.clear()
  }

  /** Clears all state, for a logout. */
  clear(): void {
    this.allowRetry()
    this.#granted = undefined
    this.#issuer = undefined
  }

  #record(asked: string, refused: boolean): void {
    if (this.#results.size >= maxResults) this.#results.clear()
    this.#results.set(asked, { at: this.#clock(), refused })
  }
}
