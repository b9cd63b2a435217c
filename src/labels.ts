/**
 * Formats URLs, keys of records and foreign texts for messages, events and logs: without secrets, and without
 * characters that control a terminal.
 *
 * @module
 */

/**
 * Returns the part of a URL that may be shown: its origin and path. Path segments that look like tokens are
 * shortened, because a capability URL is itself a secret. Two URLs can have the same label: compare by
 * {@link serverText}.
 */
export function resourceLabel(resource: string | URL): string {
  const url = typeof resource === 'string' ? safeUrl(resource) : resource
  if (url === undefined) return '<invalid URL>'
  const label = shortenPath(`${url.origin}${url.pathname}`)
  return label.length <= longestLabel ? label : `${label.slice(0, longestLabel - 1)}…`
}

/**
 * Returns the part of an MCP server's URL that may be shown: its label, and the parameters of its query,
 * because tenants can differ in the query alone. Only plain words are shown, and only for names that do not
 * suggest a secret.
 */
export function serverLabel(server: string | URL): string {
  const url = typeof server === 'string' ? safeUrl(server) : server
  const shown = shownQuery(url === undefined ? '' : queryOf(url))
  const label = resourceLabel(server)
  return `${label}${shown.length <= longestLabel ? shown : '?…'}`
}

/**
 * Returns the label of an MCP server as one argument of a command line, so that a hostile path cannot change
 * what a shell runs.
 */
export function commandArgument(server: string | URL): string {
  const label = serverLabel(server)
  return /^[\w:/.~%@+,=-]+$/.test(label) ? label : `'${label.replaceAll("'", '%27')}'`
}

/** A server may write a path of any length. */
const longestLabel = 250

/**
 * Formats an issuer or a resource of a server for a message: as it was written, because a slash or a capital
 * letter may be the only difference; its origin alone where the rest could contain a sentence.
 */
export function quotedIdentifier(value: unknown): string {
  if (typeof value !== 'string') return 'no issuer or resource'
  const url = safeUrl(value)
  if (url === undefined) return '"…"'
  const written = value.split(/[?#]/)[0] ?? ''
  const isPlain = /^[\w.~:/@{}[\]-]{1,200}$/.test(written)
  return JSON.stringify(isPlain ? shortenPath(written) : `${url.origin}/…`)
}

/**
 * The origin, path and query of an MCP server, for comparisons: tenants can differ in the query alone. The
 * order of its parameters does not matter. It can contain a secret, so never show or store it.
 */
export function serverText(url: URL): string {
  return `${url.origin}${url.pathname}${queryOf(url)}`
}

/**
 * What stands for an MCP server in the keys of records, which no store encrypts: its text, with a fingerprint in place of
 * each value whose name says that it is secret. The text of the result is the result again.
 */
export function serverKey(server: URL): string {
  const url = new URL(server)
  for (const name of new Set(url.searchParams.keys())) {
    if (!isSecretName(name)) continue
    const values = url.searchParams.getAll(name)
    url.searchParams.delete(name)
    for (const value of values) url.searchParams.append(name, fingerprint(value))
  }
  return serverText(url)
}

/** Tells values apart without showing them: 64 bits, two rounds of FNV-1a. No proof against who chooses the values. */
function fingerprint(value: string): string {
  if (/^~[\da-f]{16}$/.test(value)) return value
  let first = 0x811c9dc5
  let second = 0x9747b28c
  for (const byte of new TextEncoder().encode(value)) {
    first = Math.imul(first ^ byte, 0x01000193)
    second = Math.imul(second ^ byte ^ (first >>> 15), 0x01000193)
  }
  const hex = (half: number) => (half >>> 0).toString(16).padStart(8, '0')
  return `~${hex(first)}${hex(second)}`
}

/** The query of a URL, for comparisons: sorted by name, with its question mark; empty where there is none. */
export function queryOf({ search }: URL): string {
  if (search === '') return ''
  const parameters = new URLSearchParams(search)
  parameters.sort()
  const query = parameters.toString()
  return query === '' ? '' : `?${query}`
}

/** Formats the key of a record, which is a URL and names, for messages: tokens in it are shortened. */
export function recordLabel(key: string): string {
  const parts = String(key)
    .split(' | ')
    .map((part) => {
      const start = /^https?:/.test(part) ? part.indexOf('?') : -1
      if (start < 0) return shortenPath(part)
      return `${shortenPath(part.slice(0, start))}${shownQuery(part.slice(start))}`
    })
  return parts.join(' | ')
}

const secretWord =
  /^(?:\w*(?:key|token|secret|passw(?:or)?d)|pass|passphrase|pwd|auth|authorization|bearer|code|cookie|cred|creds|credentials?|jwt|otp|pat|pin|sess|session|sid|sig|signature)$/

/** Whether the name of a parameter, such as `api_key` or `accessToken`, says that its value is secret. */
function isSecretName(name: string): boolean {
  const words = name.replace(/([a-z\d])([A-Z])/g, '$1_$2').toLowerCase()
  return words.split(/[^a-z\d]+/).some((each) => secretWord.test(each))
}

function shownQuery(query: string): string {
  const shown = [...new URLSearchParams(query)].map(([name, value]) => {
    if (!isPlainText(name)) return '…'
    const isShown = value !== '' && isPlainText(value) && !isSecretName(name)
    return isShown ? `${name}=${value}` : `${name}=…`
  })
  return shown.length === 0 ? '' : `?${shown.join('&')}`
}

/** Whether a text consists of words and numbers, in characters that need no encoding. */
function isPlainText(text: string): boolean {
  return (
    /^[\w.-]{1,64}$/.test(text) &&
    text.split(/[\W_]+/).every((part) => part === '' || word.test(part))
  )
}

function safeUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

/** Shortens the segments of a path, or of a URL without a query, that look like tokens. */
export function shortenPath(path: string): string {
  return path.split('/').map(shortenSegment).join('/')
}

function shortenSegment(segment: string): string {
  const text = percentDecoded(segment)
  if (!isTokenLike(text)) return segment
  // Lone surrogates have no encoding.
  const start = [...text]
    .slice(0, 4)
    .join('')
    .replace(/\p{Cs}/gu, '\ufffd')
  return `${text === segment ? start : encodeURIComponent(start)}…`
}

function percentDecoded(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment
  }
}

const uuid = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
// Lower case throughout or a capital first; short ones may be numbered, as in `v2`.
const word = /^(?:\p{Lu}?[\p{Ll}\p{Lo}\p{M}]{1,24}|\p{Lu}{1,3}|\p{Ll}{1,8}\d{1,3}|\d{1,8})$/u

// Most hosts are such words, and the classes of Unicode take milliseconds to compile.
const plainWords = /^[a-z]{1,24}(?:[.-][a-z]{1,24})*$/

/** Whether a text is long, and neither words nor numbers. */
function isTokenLike(text: string): boolean {
  if (text.length < 16) return false
  if (uuid.test(text)) return true
  if (plainWords.test(text)) return false
  const isSlug = text.split(/[^\p{L}\p{M}\p{N}]+/u).every((part) => part === '' || word.test(part))
  if (isSlug) return false
  return text.length >= 32 || (/\p{L}/u.test(text) && /\p{N}/u.test(text))
}

// Unassigned and private characters are harmless; these control a terminal, reverse the direction of text, or
// are invisible.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\p{Zl}\p{Zp}]+/gu

/**
 * Replaces each run of characters that control a terminal, change the direction of text or are invisible:
 * text from a server may contain any of them.
 *
 * @param substitute - Their replacement. Default: a space.
 */
export function printable(text: string, substitute = ' '): string {
  return /^[ -~]*$/.test(text) ? text : text.replace(unprintable, substitute)
}

/**
 * Cleans foreign text for display: removes control, format and bidirectional characters and anything that
 * looks like a token, and cuts it at 200 characters.
 */
export function cleanText(text: string): string {
  const plain = printable(text).replace(/\p{Z}+/gu, ' ')
  const redacted = plain
    .replace(/:\/\/[^\s/@]*@/g, '://')
    .replace(/([?&][^=\s&#]+)=[^\s&#'"]+/g, '$1=<redacted>')
    .replace(/(?<=\/)[^\s/?#'"<>]+/g, shortenSegment)
    .replace(/[A-Za-z0-9_\-+/=.~]{32,}/g, '<redacted>')
    .trim()
  if (redacted.length <= 200) return redacted
  return `${redacted.slice(0, 199).replace(/\p{Cs}$/u, '')}…`
}
