/**
 * The body of a response that is of interest only up to a length.
 *
 * @module
 */

const maxChars = 1_048_576

/** The text of a response, cut at one million characters; empty when it cannot be read. */
export async function readText(response: Response): Promise<string> {
  let text = ''
  try {
    const decoder = new TextDecoder()
    for await (const chunk of response.body ?? []) {
      text += decoder.decode(chunk, { stream: true })
      if (text.length > maxChars) break
    }
  } catch {
    // The status says enough.
  }
  return text.slice(0, maxChars)
}
