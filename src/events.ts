/**
 * The events of the library. No member of an event can hold a secret.
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
      /** Whether no caller waits for it, because the current credential can still be used. */
      readonly background: boolean
    }
  | {
      /** A provider returned a credential. */
      readonly type: 'acquire_success'
      /** Counts the credentials of this manager, from 1. */
      readonly generation: number
      /** How long the acquisition took, in milliseconds. */
      readonly durationMs: number
      /** Seconds until it expires; absent when the credential does not expire. */
      readonly expiresIn?: number
      /** Its issuer, the store, or another process that renewed it first. */
      readonly source: 'network' | 'store' | 'peer'
    }
  | {
      /** A provider failed to return a credential. */
      readonly type: 'acquire_failure'
      /** The error's code. */
      readonly code: CredentialErrorCode
      /** Whether a later attempt may succeed without intervention. */
      readonly retryable: boolean
      /** How many attempts in a row have failed. */
      readonly attempt: number
      /**
       * Seconds until another attempt is made; `Infinity`, which JSON writes as `null`: not before the user
       * logs in.
       */
      readonly retryIn: number
      /** Seconds for which the current credential can still be used; 0 when there is none. */
      readonly stillValidFor: number
    }
  | {
      /** A server refused a credential. */
      readonly type: 'rejected'
      /** Which credential of this manager is current. */
      readonly generation: number
      /** The HTTP status. */
      readonly status: number
      /** Whether it was older than the current credential, so that no renewal is needed. */
      readonly late: boolean
    }
  | {
      /** A server keeps refusing credentials; the provider is not called again yet. */
      readonly type: 'reject_ignored'
      /** Which credential of this manager is current. */
      readonly generation: number
      /** The HTTP status. */
      readonly status: number
      /** Seconds until a rejection leads to a renewal again. */
      readonly retryIn: number
    }
  | {
      /** A caller received the error of the last attempt, which failed a moment ago. */
      readonly type: 'cooldown'
      /** The code of the error that caused it. */
      readonly code: CredentialErrorCode
      /** Seconds until the next attempt. */
      readonly retryIn: number
    }
  | {
      /** The user must log in. Reported once. */
      readonly type: 'login_required'
      /** Why. */
      readonly reason: LoginRequiredError['reason']
    }
  | {
      /** A request is sent again. */
      readonly type: 'request_retry'
      /** The status of the response. */
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
      /** How many times the request was sent. */
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
       * A request to another origin was sent without the credential. Reported once for each origin.
       */
      readonly type: 'passed_through'
      /** The origin of the request. */
      readonly target: string
    }
  | {
      /** A redirect was not followed, so the response went to the caller. */
      readonly type: 'redirect_refused'
      /** The HTTP status. */
      readonly status: number
      /** The target of the redirect: origin and path. */
      readonly target: string
    }
  | {
      /** The server's clock differs from this machine's by 30 seconds or more. */
      readonly type: 'clock_offset'
      /** The server's time less this machine's, in milliseconds. */
      readonly offsetMs: number
      /**
       * Whether signatures and claims are corrected by it. An offset above 24 hours is not applied: check the
       * clock.
       */
      readonly applied: boolean
    }
  | {
      /** A caller waited for the lock of the record. */
      readonly type: 'lock_wait'
      /** How long it waited, in milliseconds. */
      readonly ms: number
    }
  | {
      /**
       * The store could not be written. The credential is used from memory, and is stored later if possible.
       */
      readonly type: 'store_failed'
      /** The operation that failed. */
      readonly operation: StoreError['operation']
    }
  | {
      /** The user was logged out: the credential was discarded. */
      readonly type: 'logged_out'
      /** Whether its issuer revoked it; if not, a copy of it works until it expires. */
      readonly revoked: boolean
      /** Why it was not revoked, without any text from a server; absent when it was. */
      readonly reason?: string
    }
  | {
      /** The manager was closed. */
      readonly type: 'closed'
    }
)

/** An event before the manager adds its time, resource and provider. */
export type CredentialEventDetails = CredentialEvent extends infer Event
  ? Event extends CredentialEvent
    ? Omit<Event, 'time' | 'resource' | 'provider' | 'tenant' | 'account'>
    : never
  : never

/**
 * Receives events. Errors that it throws are ignored: a listener must not change what happens.
 *
 * @group Events
 */
export type CredentialEventListener = (event: CredentialEvent) => void
