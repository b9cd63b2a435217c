/**
 * What a client has set up in its session, which a new session does not know.
 *
 * @module
 */
import type { JsonObject, Part, RequestPart } from './message.ts'

/** A request that sets something up. */
export interface SettingRequest {
  readonly method: string
  readonly params: JsonObject
}

/** Knows what a new session has to be told. */
export interface ClientSettings {
  /** A request of the client was answered. */
  answered(request: RequestPart | undefined, answer: Part): void
  /** What restores the settings of the session before. */
  requests(): readonly SettingRequest[]
  /** The client begins anew. */
  clear(): void
}

/** Each is a request when the session is renewed. */
const maxSubscriptions = 1000

/** Makes a {@link ClientSettings} of a client that has set nothing up. */
export function clientSettings(): ClientSettings {
  let level: SettingRequest | undefined
  const subscriptions = new Map<string, SettingRequest>()
  return {
    answered(request, answer) {
      if (request === undefined || answer.kind !== 'response' || answer.result === undefined) return
      const { method } = request
      // Progress and tracing belong to the request that they came with.
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
