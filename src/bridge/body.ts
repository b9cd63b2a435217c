/**
 * The body of a response, read no further than a limit.
 *
 * @module
 */
import { timeLimit } from '../waiting.ts'
import { MessageTooLongError } from './message.ts'

const maxChars = 1_048_576
const maxMs = 5000

/** The longest message that is taken from a server, in bytes: 64 MB. */
export const maxMessageBytes: number = 64 * 1024 * 1024

/**
 * The text of a response that is one message.
 *
 * @throws {@link MessageTooLongError}, and whatever ends the body early, such as a lost connection.
 */
export async function readMessage({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  // The iterator cancels the body when the loop is left early.
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxMessageBytes) throw new MessageTooLongError('is longer than 64 MB')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** The text of a response, as much as arrives within five seconds, and at most about one million characters. */
export async function readText({ body }: Response): Promise<string> {
  const reader = body?.getReader()
  if (reader === undefined) return ''
  const giveUp = () => void reader.cancel().catch(() => {})
  const stop = timeLimit(maxMs, giveUp, { keepsProcess: false })
  const decoder = new TextDecoder()
  let text = ''
  try {
    while (text.length < maxChars) {
      const { done, value } = await reader.read()
      if (done) break
      text += decoder.decode(value, { stream: true })
    }
  } catch {
    // The status says enough.
  } finally {
    stop()
    giveUp()
  }
  return text
}
