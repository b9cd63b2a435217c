/** Reads everything that leaves the library, and says when a secret is in it. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import type { Canaries, Canary } from './canary.ts'
import type { Party } from './types.ts'

export interface Recorder {
  /**
   * Bytes that reached somebody.
   *
   * @param where - How a story names the place.
   * @param reader - For whom somebody asks there: its scopes may be said.
   */
  received(party: Party, text: string, where: string, reader?: Party): void
  /** What everybody can read: an event, a line of a log, the name of a record. */
  published(channel: string, text: string): void
  /** An error that was thrown at the application, with all that hangs on it. */
  thrown(error: unknown, where: string): void
  /** Every file of a folder. */
  readFiles(folder: string): Promise<void>
  /** Gives the channels of the process back. */
  stop(): void
}

/** Scopes are values of one issuer, yet no secrets: events and errors may say them. */
const isSecret = ({ kind }: Canary) => kind !== 'scope'

/**
 * Begins to listen to the channels of the process.
 *
 * @param violate - Hears of each secret in a place where it does not belong.
 * @param trusts - Whether an owner lets somebody else have what is its own.
 */
export function startRecorder(
  { find }: Canaries,
  violate: (text: string) => void,
  trusts: (owner: Party, party: Party) => boolean = () => false,
): Recorder {
  const published = (channel: string, text: string) => {
    for (const { label } of find(text).filter(isSecret)) violate(`${channel} shows ${label}`)
  }
  const stop = listen(published)
  return {
    received(party, text, where, reader) {
      for (const canary of find(text)) {
        const { owners, label } = canary
        if (!isSecret(canary) && reader !== undefined && owners.has(reader)) continue
        const isTrusted = owners.has(party) || [...owners].some((owner) => trusts(owner, party))
        if (!isTrusted) violate(`${where} receives ${label}`)
      }
    },
    published,
    thrown(error, where) {
      const parts = withoutQuotes(error, () => partsOf(error))
      for (const [part, text] of parts) published(`${part} of ${where}`, text)
    },
    async readFiles(folder) {
      for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
        published('the name of a file', entry.name)
        if (!entry.isFile()) continue
        published('a file', await readFile(join(entry.parentPath, entry.name), 'latin1'))
      }
    },
    stop,
  }
}

/**
 * Leaves out what a server wrote about an error. It stands in a property of its own that is marked as
 * untrusted, and a server may repeat there what it was sent.
 */
function withoutQuotes<T>(error: unknown, read: () => T): T {
  const name = 'serverDescription'
  const quote = error instanceof Error ? Reflect.getOwnPropertyDescriptor(error, name) : undefined
  if (quote === undefined) return read()
  Reflect.deleteProperty(error as Error, name)
  try {
    return read()
  } finally {
    Object.defineProperty(error, name, quote)
  }
}

/** Everything that can be read off an error, by whatever a program does with it. */
function partsOf(error: unknown): [string, string][] {
  const parts: [string, string][] = [
    ['inspect()', inspect(error, { depth: 8, showHidden: true, getters: true })],
    ['the text', String(error)],
  ]
  try {
    parts.push(['JSON', JSON.stringify(error) ?? ''])
  } catch {
    // A cycle: inspect() has shown it.
  }
  const seen = new Set<unknown>()
  for (let each = error; each instanceof Error && !seen.has(each); each = each.cause) {
    seen.add(each)
    parts.push(['the message', each.message], ['the stack', each.stack ?? ''])
    for (const name of Object.getOwnPropertyNames(each)) {
      const value: unknown = Reflect.get(each, name)
      if (typeof value === 'string') parts.push([`the property ${name}`, value])
    }
  }
  return parts
}

type Method = 'log' | 'info' | 'warn' | 'error' | 'debug' | 'trace'
const methods: readonly Method[] = ['log', 'info', 'warn', 'error', 'debug', 'trace']

function listen(published: Recorder['published']): () => void {
  const onMessage = (message: unknown) =>
    published('a message of diagnostics_channel', `${JSON.stringify(message)} ${inspect(message)}`)
  const onWarning = (warning: unknown) => published('a warning', inspect(warning, { depth: 8 }))
  const saved = methods.map((method) => [method, console[method]] as const)
  for (const method of methods) {
    console[method] = (...values: unknown[]) =>
      published(`console.${method}`, values.map((value) => inspect(value)).join(' '))
  }
  const writes = [process.stdout, process.stderr].map((stream) => tapped(stream, published))
  subscribe('mcp-credentials', onMessage)
  process.on('warning', onWarning)
  return () => {
    unsubscribe('mcp-credentials', onMessage)
    process.off('warning', onWarning)
    for (const [method, own] of saved) console[method] = own
    for (const restore of writes) restore()
  }
}

/** Reads what is written, and lets it pass: the test runner writes too. */
function tapped(stream: NodeJS.WriteStream, published: Recorder['published']): () => void {
  const own = stream.write
  stream.write = ((...args: Parameters<typeof own>) => {
    const [chunk] = args as unknown as [string | Uint8Array]
    published('the output', typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
    return own.apply(stream, args)
  }) as typeof own
  return () => {
    stream.write = own
  }
}
