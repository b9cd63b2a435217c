/**
 * Handles responses whose bodies are not needed.
 *
 * @module
 */

/** A longer body costs more than a new connection. */
const maxBytes = 65_536
const maxMs = 2000

/**
 * Reads a response to its end in the background, so that its connection can be used again. Stops after 64 KiB
 * or two seconds.
 */
export function drain(response: Response): void {
  if (response.bodyUsed) return
  const reader = response.body?.getReader()
  if (reader === undefined) return
  // A server that sends byte by byte would hold the connection indefinitely.
  const timer = setTimeout(() => void reader.cancel().catch(() => {}), maxMs)
  ;(timer as { unref?(): void }).unref?.()
  readAll(reader)
    .catch(() => {})
    .finally(() => clearTimeout(timer))
}

/** Discards a response, and throws the error. */
export function discardAndThrow(response: Response, error: unknown): never {
  drain(response)
  throw error
}

async function readAll(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  for (let size = 0; size < maxBytes; ) {
    const { done, value } = await reader.read()
    if (done) return
    size += value.byteLength
  }
  await reader.cancel()
}
