/**
 * Limits the messages of a client that the server has not accepted yet.
 *
 * @module
 */
import {
  cancelledRequestOf,
  keyOf,
  type Message,
  parseClientMessage,
  requestsOf,
} from './message.ts'

/** If more characters are pending at the server, further messages are held. */
const maxUnsentChars = 32 * 1024 * 1024
/** If more characters are held, the client is not read. */
const maxHeldChars = 128 * 1024 * 1024
/** Longer messages are not parsed. */
const maxUrgentChars = 1024 * 1024

/** Relays the messages of a client with a limit on memory. */
export interface FlowControl {
  /** Receives a message; `undefined`: one that is too long. Resolves when the next one may be read. */
  take(text: string | undefined): Promise<void>
  /** Resolves when no message is held. */
  empty(): Promise<void>
}

/**
 * Creates an {@link FlowControl}. Responses and cancellations are never held: a pending request may wait for
 * them.
 *
 * @param send - Relays a message. Settles when the server has accepted it.
 */
export function flowControl(send: (text: string | undefined) => Promise<void>): FlowControl {
  let unsentChars = 0
  let heldChars = 0
  const held: string[] = []
  const listeners: (() => void)[] = []
  const changed = () => new Promise<void>((resolve) => listeners.push(resolve))
  const start = (text: string | undefined) => {
    const length = text?.length ?? 0
    unsentChars += length
    const taken = () => {
      unsentChars -= length
      release()
    }
    send(text).then(taken, taken)
  }
  const drop = (index: number) => {
    const [text = ''] = held.splice(index, 1)
    heldChars -= text.length
    return text
  }
  const release = () => {
    while (held.length > 0 && unsentChars <= maxUnsentChars) start(drop(0))
    for (const listener of listeners.splice(0)) listener()
  }
  const cancelHeld = (message: Message) => {
    const id = cancelledRequestOf(message)
    const index = id === undefined ? -1 : held.findIndex((text) => asksFor(text, keyOf(id)))
    if (index !== -1) drop(index)
    return index !== -1
  }
  return {
    async take(text) {
      const mayPass = text === undefined || (held.length === 0 && unsentChars <= maxUnsentChars)
      if (mayPass) return start(text)
      const urgent = urgentMessage(text)
      if (urgent !== undefined) {
        // A request that was not sent need not be cancelled at the server.
        if (!cancelHeld(urgent)) start(text)
        return
      }
      held.push(text)
      heldChars += text.length
      while (heldChars > maxHeldChars) await changed()
    },
    async empty() {
      while (held.length > 0) await changed()
    },
  }
}

/** Parses a response or a cancellation; `undefined`: another message. */
function urgentMessage(text: string): Message | undefined {
  if (text.length > maxUrgentChars) return undefined
  const message = parseClientMessage(text)
  if (typeof message === 'string') return undefined
  const isResponse = message.parts.every(({ kind }) => kind === 'response')
  return isResponse || cancelledRequestOf(message) !== undefined ? message : undefined
}

function asksFor(text: string, key: string): boolean {
  const message = parseClientMessage(text)
  if (typeof message === 'string') return false
  const [request, ...others] = requestsOf(message)
  return others.length === 0 && request !== undefined && keyOf(request.id) === key
}
