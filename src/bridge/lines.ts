/**
 * Reads and writes messages as lines (MCP 2025-11-25, Transports, stdio).
 *
 * @module
 */
import type { Readable, Writable } from 'node:stream'

const lineFeed = 0x0a
const carriageReturn = 0x0d

/**
 * Reads the lines of a stream without their terminators. The last line feed is optional. Empty lines are
 * skipped.
 *
 * @param maxBytes - For longer lines, `undefined` is returned.
 */
export async function* readLines(
  input: Readable,
  maxBytes: number,
): AsyncGenerator<string | undefined, void, void> {
  let pieces: Buffer[] = []
  let length = 0
  const take = () => {
    const line = length > maxBytes ? undefined : lineOf(Buffer.concat(pieces))
    pieces = []
    length = 0
    return line
  }
  for await (const chunk of input) {
    const bytes: Buffer = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
    let start = 0
    for (;;) {
      const end = bytes.indexOf(lineFeed, start)
      const piece = bytes.subarray(start, end === -1 ? undefined : end)
      length += piece.length
      if (length <= maxBytes) pieces.push(piece)
      else pieces = []
      if (end === -1) break
      const line = take()
      if (line !== '') yield line
      start = end + 1
    }
  }
  const last = take()
  if (last !== '') yield last
}

function lineOf(bytes: Buffer): string {
  const end = bytes.at(-1) === carriageReturn ? bytes.length - 1 : bytes.length
  return bytes.toString('utf8', 0, end).trim()
}

/** Writes lines to a stream, with backpressure. */
export interface LineWriter {
  /** Resolves when more can be written, or the stream is closed. */
  write(line: string): Promise<void>
  /** Resolves when all lines are flushed, or the stream is closed. */
  flush(): Promise<void>
  /** Resolves when the stream is closed, such as after EPIPE. */
  readonly broken: Promise<void>
}

/** Creates a {@link LineWriter}. It does not end the stream. */
export function lineWriter(output: Writable): LineWriter {
  let isBroken = output.destroyed || output.writableEnded
  const broken = new Promise<void>((resolve) => {
    const fail = () => {
      isBroken = true
      resolve()
    }
    if (isBroken) resolve()
    output.once('close', fail)
    // Without a listener an EPIPE would end the process.
    output.on('error', fail)
  })
  const drained = () =>
    Promise.race([new Promise<void>((resolve) => output.once('drain', resolve)), broken])
  // One shared promise, so that waiting writers do not add listeners.
  let draining: Promise<void> | undefined
  return {
    broken,
    async write(line) {
      if (isBroken) return
      if (!output.write(`${line}\n`)) {
        draining ??= drained().finally(() => {
          draining = undefined
        })
      }
      await draining
    },
    async flush() {
      if (isBroken) return
      const written = new Promise<void>((resolve) => output.write('', () => resolve()))
      await Promise.race([written, broken])
    },
  }
}
