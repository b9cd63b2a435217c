/** Secrets that can be recognized wherever they turn up, however they are written. */
import type { Party } from './types.ts'

export type CanaryKind =
  | 'client secret'
  | 'registration secret'
  | 'access token'
  | 'refresh token'
  | 'code'
  | 'device code'
  | 'verifier'
  | 'state'
  | 'identity assertion'
  | 'workload assertion'
  | 'subject token'
  | 'client assertion'
  | 'DPoP key'
  | 'API key'
  | 'signing secret'
  | 'store key'
  | 'request URI'
  | 'scope'
  | 'session'
  | 'session id'
  | 'local secret'
  | 'bridge path'

export interface Canary {
  readonly kind: CanaryKind
  /** Who may have it. */
  readonly owners: ReadonlySet<Party>
  /** How a story names it. */
  readonly label: string
}

export interface Canaries {
  /**
   * Makes a value of its own.
   *
   * @param dress - Puts the value into what is sent, such as characters that need an encoding around it.
   */
  mint(kind: CanaryKind, owners: readonly Party[], dress?: (value: string) => string): string
  /** Learns a value that the library has made. The first to see it says who owns it. */
  learn(kind: CanaryKind, value: string, owners: readonly Party[]): void
  /** The canaries in a text, in whatever encoding. */
  find(text: string): readonly Canary[]
  /** The text as a story shows it: values replaced by what they are. */
  describe(text: string): string
}

/** Begins each canary; no encoding of an alphabet changes it, and no word of a protocol holds it. */
const marker = /cnry[0-9]+z/g

/** What is shorter was not made by the library: it would not be unique. */
const shortest = 20

export function makeCanaries(): Canaries {
  const minted = new Map<string, Canary>()
  const learned = new Map<string, Canary>()
  let count = 0
  const make = (kind: CanaryKind, owners: readonly Party[]): Canary => {
    count += 1
    const whose = owners.length === 0 ? 'of nobody else' : `of ${owners.join(' and ')}`
    return { kind, owners: new Set(owners), label: `${kind} ${count} ${whose}` }
  }
  return {
    mint(kind, owners, dress = (value) => value) {
      const canary = make(kind, owners)
      const value = `cnry${count}z`
      minted.set(value, canary)
      return dress(value)
    },
    learn(kind, value, owners) {
      if (value.length < shortest || learned.has(value)) return
      learned.set(value, make(kind, owners))
    },
    find(text) {
      const found = new Set<Canary>()
      for (const view of viewsOf(text)) {
        for (const [value] of view.matchAll(marker)) {
          const canary = minted.get(value)
          if (canary !== undefined) found.add(canary)
        }
        for (const [value, canary] of learned) {
          if (view.includes(value)) found.add(canary)
        }
      }
      return [...found]
    },
    describe(text) {
      let shown = text.replace(marker, (value) => `<${minted.get(value)?.label ?? value}>`)
      for (const [value, { label }] of learned) shown = shown.replaceAll(value, `<${label}>`)
      return shown
    },
  }
}

/** How many encodings inside each other are undone. */
const depth = 4

/** A text, and all texts that it may be an encoding of. */
export function viewsOf(text: string): ReadonlySet<string> {
  const views = new Set<string>([text])
  let latest: readonly string[] = [text]
  for (let level = 0; level < depth && latest.length > 0; level += 1) {
    const next = latest.flatMap(decodings).filter((view) => !views.has(view))
    for (const view of next) views.add(view)
    latest = next
  }
  return views
}

function decodings(text: string): string[] {
  return [
    ...(text.includes('%') ? [percentDecoded(text)] : []),
    ...(text.includes('\\u') ? [unescaped(text)] : []),
    ...(text.includes('&#') ? [withoutEntities(text)] : []),
    ...[...text.matchAll(/[A-Za-z0-9+/_-]{8,}/g)].flatMap(([run]) => fromBase64(run)),
    ...[...text.matchAll(/(?:[0-9a-f]{2}){6,}/gi)].flatMap(([run]) => texts([bytesOfHex(run)])),
  ]
}

/** Whatever the bytes of broken escapes are, the rest is decoded. */
function percentDecoded(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) =>
    Buffer.from(run.replaceAll('%', ''), 'hex').toString('utf8'),
  )
}

function unescaped(text: string): string {
  return text.replace(/\\u([0-9a-f]{4})/gi, (_all, code: string) =>
    String.fromCharCode(Number.parseInt(code, 16)),
  )
}

function withoutEntities(text: string): string {
  return text.replace(/&#(?:x([0-9a-f]+)|([0-9]+));/gi, (_all, hex?: string, decimal?: string) =>
    String.fromCharCode(hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)),
  )
}

function bytesOfHex(run: string): Buffer {
  return Buffer.from(run, 'hex')
}

/** A value inside of encoded bytes may begin at any of four places of a run. */
function fromBase64(run: string): string[] {
  return texts([0, 1, 2, 3].map((start) => Buffer.from(run.slice(start), 'base64url')))
}

/** What is text at all; the rest is noise of a wrong guess. */
function texts(candidates: readonly Buffer[]): string[] {
  return candidates
    .map((bytes) => bytes.toString('latin1'))
    .filter((text) => text.includes('cnry') || /^[\t -~\xa0-\xff]{6,}$/.test(text))
}
