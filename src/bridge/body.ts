/**
 * Reads bodies of responses up to a limit.
 *
 * @module
 */
import { timeLimit } from '../waiting.ts'
import { MessageTooLongError } from './message.ts'

const maxChars = 1_048_576
const maxMs = 5000

/** The most bytes of a message from a server: 64 MB. */
export const maxMessageBytes: number = 64 * 1024 * 1024

/**
 * Reads the text of a response that is one message.
 *
 * @throws {@link MessageTooLongError}, and the errors of the body, such as a lost connection.
 */
export async function readMessage({ body }: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  // The iterator cancels the body when the loop ends early.
  for await (const chunk of body ?? []) {
    bytes += chunk.byteLength
    if (bytes > maxMessageBytes) throw new MessageTooLongError('is longer than 64 MB')
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

/** Reads the text of a response for at most five seconds, and about one million characters. */
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
    // The status is sufficient.
  } finally {
    stop()
    giveUp()
  }
  return text
}
