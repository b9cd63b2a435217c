// What a client does that shows URLs to its user (MCP 2025-11-25, Elicitation, URL mode).
import type { JSONRPCMessage, Transport } from '@modelcontextprotocol/client'

const urlElicitationRequired = -32_042
const maxVisits = 2

interface Waiting {
  readonly message: JSONRPCMessage
  /** The last answer. */
  answer: JSONRPCMessage
  visits: number
}

/**
 * Has the user visit each URL that a request is answered with, and sends the request again when that is complete. A
 * user who ends on an error page gives up.
 */
export function showsUrls(inner: Transport, visit: (page: string) => Promise<Response>): Transport {
  const sent = new Map<unknown, Waiting>()
  const waiting = new Map<string, Waiting[]>()
  const outer: Transport = {
    start: () => inner.start(),
    close: () => inner.close(),
    send: (message, options) => {
      if ('method' in message && 'id' in message)
        sent.set(message.id, { message, answer: message, visits: 0 })

      return inner.send(message, options)
    },
  }
  const sendAgain = (id: string) => {
    for (const { message } of waiting.get(id) ?? []) {
      inner.send(message).catch((error: unknown) => outer.onerror?.(error as Error))
    }
    waiting.delete(id)
  }
  const elicit = (request: Waiting, { elicitationId, url }: Elicitation) => {
    request.visits += 1
    const others = waiting.get(elicitationId)
    if (others !== undefined) return void others.push(request)
    waiting.set(elicitationId, [request])
    const giveUp = () => {
      for (const each of waiting.get(elicitationId) ?? []) outer.onmessage?.(each.answer)
      waiting.delete(elicitationId)
    }
    visit(url).then(({ ok }) => (ok ? undefined : giveUp()), giveUp)
  }
  inner.onclose = () => outer.onclose?.()
  inner.onerror = (error) => outer.onerror?.(error)
  inner.onmessage = (message) => {
    const request = 'id' in message ? sent.get(message.id) : undefined
    const elicitation = elicitationOf(message)
    if (request !== undefined && elicitation !== undefined && request.visits < maxVisits) {
      request.answer = message
      return elicit(request, elicitation)
    }
    if ('method' in message && message.method === 'notifications/elicitation/complete') {
      sendAgain(String(message.params?.['elicitationId']))
    }
    outer.onmessage?.(message)
  }
  return outer
}

interface Elicitation {
  readonly elicitationId: string
  readonly url: string
}

function elicitationOf(message: JSONRPCMessage): Elicitation | undefined {
  if (!('error' in message) || message.error.code !== urlElicitationRequired) return undefined
  const { elicitations } = message.error.data as { elicitations?: readonly Elicitation[] }
  return elicitations?.[0]
}
