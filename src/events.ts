/**
 * What the library reports while it works. No member of an event can hold a secret.
 *
 * @module
 */
import type { AuditEvent } from './audit-events.ts'
import type { AcquireContext } from './credential.ts'
import type { CredentialErrorCode, LoginRequiredError, StoreError } from './errors.ts'

/**
 * Everything that can be observed through `onEvent`: a union on `type`. One member of it is
 * `Extract<CredentialEvent, { type: 'rejected' }>`.
 *
 * @group Events
 */
export type CredentialEvent = {
  /** When it happened, in milliseconds since the epoch. */
  readonly time: number
  /**
   * The MCP server: origin and path, in which segments that look like tokens are shortened. Empty where it is not
   * known, in a `login_refused` alone.
   */
  readonly resource: string
  /** The provider's name. */
  readonly provider: string
  /** The key of the selection, where a selector chose the provider. */
  readonly tenant?: string
  /** The account, where the options name one. */
  readonly account?: string
} & (
  | AuditEvent
  | {
      /** A provider is asked for a credential. */
      readonly type: 'acquire_start'
      /** Why. */
      readonly reason: AcquireContext['reason']
      /** Nobody waits for it: the present credential still serves. */
      readonly background: boolean
    }
  | {
      /** A provider delivered a credential. */
      readonly type: 'acquire_success'
      /** Counts the credentials of this manager, from 1. */
      readonly generation: number
      /** Milliseconds that it took. */
      readonly durationMs: number
      /** Seconds of life left; absent when the credential does not expire. */
      readonly expiresIn?: number
      /** Its issuer, the store, or another process that renewed it first. */
      readonly source: 'network' | 'store' | 'peer'
    }
  | {
      /** A provider delivered none. */
      readonly type: 'acquire_failure'
      /** The error's code. */
      readonly code: CredentialErrorCode
      /** Whether it may pass without anybody's help. */
      readonly retryable: boolean
      /** How many attempts in a row have failed. */
      readonly attempt: number
      /** Seconds until another attempt is made; `Infinity`, which JSON writes as `null`: not before somebody logs in. */
      readonly retryIn: number
      /** Seconds that the present credential still serves; 0 when there is none. */
      readonly stillValidFor: number
    }
  | {
      /** A server refused a credential. */
      readonly type: 'rejected'
      /** Which credential of this manager is current. */
      readonly generation: number
      /** The HTTP status. */
      readonly status: number
      /** It was an older one than the current, so no renewal is needed. */
      readonly late: boolean
    }
  | {
      /** A server goes on refusing; the provider is not asked again yet. */
      readonly type: 'reject_ignored'
      /** Which credential of this manager is current. */
      readonly generation: number
      /** The HTTP status. */
      readonly status: number
      /** Seconds until a rejection leads to a renewal again. */
      readonly retryIn: number
    }
  | {
      /** A caller was turned away because the last attempt failed a moment ago. */
      readonly type: 'cooldown'
      /** The code of the error that caused it. */
      readonly code: CredentialErrorCode
      /** Seconds until the next attempt. */
      readonly retryIn: number
    }
  | {
      /** Only a person can help. Reported once. */
      readonly type: 'login_required'
      /** Why. */
      readonly reason: LoginRequiredError['reason']
    }
  | {
      /** A request is sent again. */
      readonly type: 'request_retry'
      /** The status that it got. */
      readonly status: number
      /** The number of the attempt that follows, from 2. */
      readonly attempt: number
      /** Milliseconds until then. */
      readonly delayMs: number
    }
  | {
      /** A server refused the credential of a request, and its response went to the caller. */
      readonly type: 'request_rejected'
      /** The HTTP status. */
      readonly status: number
      /** The HTTP method. */
      readonly method: string
      /** How often it was sent. */
      readonly attempts: number
    }
  | {
      /** A header that the caller had set was replaced by the credential's. */
      readonly type: 'header_replaced'
      /** The header's name, in lower case. */
      readonly header: string
    }
  | {
      /**
       * A request was for another origin than the credential's, so it went without one. Once for each
       * origin.
       */
      readonly type: 'passed_through'
      /** Where it went: the origin. */
      readonly target: string
    }
  | {
      /** A redirect was not followed, so the response went to the caller. */
      readonly type: 'redirect_refused'
      /** The HTTP status. */
      readonly status: number
      /** Where it led: origin and path. */
      readonly target: string
    }
  | {
      /** The server's clock differs from this machine's by 30 seconds or more. */
      readonly type: 'clock_offset'
      /** The server's time less this machine's, in milliseconds. */
      readonly offsetMs: number
      /** Whether signatures and claims take it into account; not beyond 24 hours: check the clock. */
      readonly applied: boolean
    }
  | {
      /** It took a while to get the lock of the record. */
      readonly type: 'lock_wait'
      /** Milliseconds. */
      readonly ms: number
    }
  | {
      /**
       * The store could not be written. The credential serves from memory, and is written later if
       * possible.
       */
      readonly type: 'store_failed'
      /** What was tried. */
      readonly operation: StoreError['operation']
    }
  | {
      /** The credential was given up. */
      readonly type: 'logged_out'
      /** Whether its issuer made it void; if not, a copy of it would still work until it expires. */
      readonly revoked: boolean
      /** Why not, in words that hold no text of a server; absent when it was. */
      readonly reason?: string
    }
  | {
      /** The manager was closed. */
      readonly type: 'closed'
    }
)

/** What happened, before the manager adds when, where and by whom. */
export type CredentialEventDetails = CredentialEvent extends infer Event
  ? Event extends CredentialEvent
    ? Omit<Event, 'time' | 'resource' | 'provider' | 'tenant' | 'account'>
    : never
  : never

/**
 * Receives events. An error that it throws is swallowed: observing must not change what happens.
 *
 * @group Events
 */
export type CredentialEventListener = (event: CredentialEvent) => void
