/**
 * Reports events to the listener of the application and to the diagnostics channel.
 *
 * @module
 */

import type { CredentialEvent, CredentialEventDetails, CredentialEventListener } from '../events.ts'
import { printable } from '../labels.ts'
import { isObserved, publish } from './diagnostics.ts'

/** The members of every event of one manager. */
export interface EventSource {
  readonly resource: string
  readonly provider: string
  /** The key of the selector that chose the provider, where there is one. */
  readonly tenant: string | undefined
  /** The account, where the options name one. */
  readonly account: string | undefined
}

/** Adds the time and the source to events, and reports them. */
export class Reporter {
  readonly #source: EventSource
  readonly #now: () => number
  readonly #listener: CredentialEventListener | undefined

  constructor(
    source: EventSource,
    now: () => number,
    listener: CredentialEventListener | undefined,
  ) {
    this.#source = source
    this.#now = now
    this.#listener = listener
  }

  /** Whether events have a receiver. */
  get active(): boolean {
    return this.#listener !== undefined || isObserved()
  }

  /** Reports an event. A listener that throws, or whose promise rejects, changes nothing. */
  emit(details: CredentialEventDetails): void {
    const published = isObserved()
    if (this.#listener === undefined && !published) return
    const { tenant, account, ...source } = this.#source
    const event = {
      ...printableMembers(details),
      time: this.#now(),
      ...source,
      ...(tenant === undefined ? {} : { tenant }),
      ...(account === undefined ? {} : { account }),
    } as CredentialEvent
    if (published) publish(event)
    try {
      const outcome: unknown = this.#listener?.(event)
      if (isThenable(outcome)) Promise.resolve(outcome).catch(() => {})
    } catch {
      // A listener must not change what happens.
    }
  }
}

/** Replaces control characters: a member may contain text from a server. */
function printableMembers(details: object): object {
  const clean = (value: unknown): unknown => {
    if (typeof value === 'string') return printable(value)
    return Array.isArray(value) ? value.map(clean) : value
  }
  return Object.fromEntries(Object.entries(details).map(([name, value]) => [name, clean(value)]))
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | undefined | null)?.then === 'function'
}
