/**
 * What a client has sent and the server has not taken yet.
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

/** While more than this waits to be taken by the server, further messages are held. */
const maxUnsentChars = 32 * 1024 * 1024
/** While more than this is held, the client is not read. */
const maxHeldChars = 128 * 1024 * 1024
/** Longer messages are not looked at. */
const maxUrgentChars = 1024 * 1024

/** Passes the messages of a client on, no more at once than the memory has room for. */
export interface Intake {
  /** Takes a message; `undefined` stands for one that is too long. Resolves when the next one may be read. */
  take(text: string | undefined): Promise<void>
  /** Resolves when no message is held any more. */
  empty(): Promise<void>
}

/**
 * Makes an {@link Intake}. Responses and cancellations are never held: a request under way may wait for them.
 *
 * @param send - Passes a message on. Settles when the server has taken it.
 */
export function intake(send: (text: string | undefined) => Promise<void>): Intake {
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
        // What has not left need not be cancelled at the server.
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

/** A response or a cancellation; `undefined`: the message is another. */
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
