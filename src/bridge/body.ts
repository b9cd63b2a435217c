/**
 * The body of a response that is of interest only up to a length.
 *
 * @module
 */
import { timeLimit } from '../waiting.ts'

const maxChars = 1_048_576
const maxMs = 5000

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
