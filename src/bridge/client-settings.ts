/**
 * The settings of a client in its session, which must be restored in a new session.
 *
 * @module
 */
import type { JsonObject, Part, RequestPart } from './message.ts'

/** A request that changes a setting. */
export interface SettingRequest {
  readonly method: string
  readonly params: JsonObject
}

/** Records the settings of a client. */
export interface ClientSettings {
  /** Records a response to a request of the client. */
  answered(request: RequestPart | undefined, answer: Part): void
  /** The requests that restore the settings in a new session. */
  requests(): readonly SettingRequest[]
  /** Forgets the settings, when the client starts a new session. */
  clear(): void
}

/** The most subscriptions; each one is a request when the session is renewed. */
const maxSubscriptions = 1000

/** Creates empty {@link ClientSettings}. */
export function clientSettings(): ClientSettings {
  let level: SettingRequest | undefined
  const subscriptions = new Map<string, SettingRequest>()
  return {
    answered(request, answer) {
      if (request === undefined || answer.kind !== 'response' || answer.result === undefined) return
      const { method } = request
      // Progress tokens and tracing belong to the original request.
      const { _meta: _, ...params } = request.params
      const { uri } = params
      if (method === 'logging/setLevel') level = { method, params }
      if (typeof uri !== 'string') return
      if (method === 'resources/unsubscribe') subscriptions.delete(uri)
      const isKnown = subscriptions.has(uri) || subscriptions.size < maxSubscriptions
      if (method === 'resources/subscribe' && isKnown) subscriptions.set(uri, { method, params })
    },
    requests: () => [...(level === undefined ? [] : [level]), ...subscriptions.values()],
    clear() {
      level = undefined
      subscriptions.clear()
    },
  }
}
