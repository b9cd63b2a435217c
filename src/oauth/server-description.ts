/**
 * The description of an error by the server.
 *
 * The text is untrusted: it may be an attack on its reader, and some servers repeat the request in it.
 *
 * @module
 */
import { toBase64, toBase64Url, toHex } from '../encoding.ts'
import { isObject, parseObject } from './endpoint.ts'

/** The maximum length that is checked; users see less. */
const maxLength = 1000
/** This many consecutive characters of a secret count as a part of it. */
const windowLength = 8
/** Shorter values are not secrets, and occur in any text. */
const shortestSecret = 4

/** Members of requests that are not secret. */
const publicMembers: ReadonlySet<string> = new Set([
  'grant_type',
  'client_id',
  'resource',
  'scope',
  'redirect_uri',
  'audience',
  'token_type_hint',
  'client_assertion_type',
  'subject_token_type',
  'actor_token_type',
  'requested_token_type',
  'response_type',
  'code_challenge_method',
  'redirect_uris',
  'client_name',
  'client_uri',
  'grant_types',
  'response_types',
  'token_endpoint_auth_method',
  'application_type',
])
const publicHeaders: ReadonlySet<string> = new Set(['accept', 'content-type', 'user-agent'])

/**
 * Returns a non-standard code and the description of an error response; `undefined` when there are none, or when
 * they repeat a secret of the request in any of the usual spellings, also reversed or with white space between its
 * characters, or eight characters of one.
 *
 * @param body - The response as JSON, if it is JSON.
 * @param code - The registered code of the response; empty: it has none.
 * @param request - The request.
 */
export function serverDescription(
  body: Record<string, unknown> | undefined,
  code: string,
  request: RequestInit,
): string | undefined {
  const { error, error_description: description } = body ?? {}
  const parts = [code === '' ? error : undefined, description]
  const text = parts
    .filter((part) => typeof part === 'string' && part !== '')
    .join(': ')
    .slice(0, maxLength)
  if (text === '' || repeatsSecret(text, secretsOf(request))) return undefined
  return text
}

function secretsOf({ body, headers }: RequestInit): readonly string[] {
  const sent = [...new Headers(headers)]
    .filter(([name]) => !publicHeaders.has(name))
    .flatMap(([, value]) => [value, ...value.split(' ').slice(1), ...basicSecret(value)])
  const values = [...sent, ...bodySecrets(body)]
  return values.filter((value) => value.length >= shortestSecret)
}

/** The password of Basic authentication, which may be form-encoded (RFC 6749, section 2.3.1). */
function basicSecret(header: string): readonly string[] {
  const encoded = /^basic +(\S+)$/i.exec(header)?.[1]
  if (encoded === undefined) return []
  try {
    const password = atob(encoded).split(':').slice(1).join(':')
    return [password, formDecoded(password)]
  } catch {
    return []
  }
}

function bodySecrets(body: RequestInit['body']): readonly string[] {
  const text = typeof body === 'string' ? body : ''
  const json = parseObject(text)
  if (json !== undefined) return leaves(json)
  const form = new URLSearchParams(body instanceof URLSearchParams ? body : text)
  return [...form].flatMap(([name, value]) => (publicMembers.has(name) ? [] : [value]))
}

/** The texts and numbers in JSON whose members are not public. */
function leaves(value: unknown): readonly string[] {
  if (Array.isArray(value)) return value.flatMap(leaves)
  if (!isObject(value)) return typeof value === 'string' ? [value] : []
  return Object.entries(value).flatMap(([name, member]) =>
    publicMembers.has(name) ? [] : leaves(member),
  )
}

function repeatsSecret(text: string, secrets: readonly string[]): boolean {
  const found = [text, reversed(text)].flatMap(decodings)
  const texts = [...new Set(found.flatMap((part) => [part, compact(part)]))]
  const windows = new Set(texts.flatMap(windowsOf))
  return secrets
    .flatMap(spellings)
    .some((secret) =>
      secret.length <= windowLength
        ? texts.some((part) => part.includes(secret))
        : windowsOf(secret).some((window) => windows.has(window)),
    )
}

/** As it is, and with escapes of the usual kinds decoded up to twice; all in lower case. */
function decodings(text: string): readonly string[] {
  const once = [text, formDecoded(text), percentDecoded(text), text.replaceAll('\\', '')]
  const twice = once.flatMap((part) => [formDecoded(part), percentDecoded(part)])
  return [...new Set([...once, ...twice].map((part) => part.toLowerCase()))]
}

/** As it is, without white space, in base64 and in hexadecimal digits; all in lower case. */
function spellings(secret: string): readonly string[] {
  const bytes = new TextEncoder().encode(secret)
  const base64 = toBase64(bytes).replace(/=+$/, '')
  const all = [secret, compact(secret), base64, toBase64Url(bytes), toHex(bytes)]
  return all.filter(({ length }) => length >= shortestSecret).map((text) => text.toLowerCase())
}

/** Removes white space and invisible characters, which are not shown to users either. */
function compact(text: string): string {
  return text.replace(/[\s\p{Cc}\p{Cf}\p{Default_Ignorable_Code_Point}]+/gu, '')
}

function reversed(text: string): string {
  return [...text].reverse().join('')
}

function windowsOf(text: string): readonly string[] {
  const count = Math.max(0, text.length - windowLength + 1)
  return Array.from({ length: count }, (_, start) => text.slice(start, start + windowLength))
}

function formDecoded(text: string): string {
  return new URLSearchParams(`x=${text.replaceAll('&', '%26')}`).get('x') ?? text
}

function percentDecoded(text: string): string {
  // Each run separately, because a malformed one must not hide the others.
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (run) => {
    try {
      return decodeURIComponent(run)
    } catch {
      return run
    }
  })
}
