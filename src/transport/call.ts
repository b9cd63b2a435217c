/**
 * Snapshots of the arguments of a `fetch` call.
 *
 * @module
 */
import { abortable } from '../waiting.ts'

/** A snapshot of a request: later changes by its owner have no effect. */
export interface Call {
  /** The target. */
  readonly url: URL
  /** The HTTP method, in upper case. */
  readonly method: string
  /** The headers of the caller. */
  readonly headers: Headers
  /** The other options, such as `signal` and `redirect`. */
  readonly init: RequestInit
  /** The body of a `Request`, which has not been read yet. It is part of `init` after {@link completeCall}. */
  readonly pendingBody: Promise<BodyInit | undefined> | undefined
}

const requestFields = [
  'method',
  'signal',
  'redirect',
  'cache',
  'mode',
  'credentials',
  'integrity',
  'keepalive',
] as const

// Not all members of a `Request`: its referrer is `about:client`, and its headers and body are read separately.
const initFields = [
  ...requestFields,
  'headers',
  'body',
  'referrer',
  'referrerPolicy',
  'priority',
  'duplex',
  'dispatcher',
] as const

/**
 * Copies the arguments of `fetch`.
 *
 * @throws `TypeError` when the URL is invalid, as `fetch` does.
 */
export function snapshotCall(input: string | URL | Request, init: RequestInit | undefined): Call {
  if (typeof input === 'string' || input instanceof URL) {
    const url = typeof input === 'string' ? new URL(input, baseUrl()) : new URL(input)
    return init !== undefined && isRequest(init)
      ? callOf(url, init, undefined)
      : plainCall(url, init)
  }
  if (!isRequest(input)) return plainCall(new URL(String(input), baseUrl()), init)
  // A second Request replaces everything but the URL.
  if (init !== undefined && isRequest(init)) return callOf(new URL(input.url), init, undefined)
  return callOf(new URL(input.url), input, init)
}

/** Returns the same call with its body; an abort of its signal ends the wait. */
export async function completeCall(call: Call): Promise<Call> {
  const { init, pendingBody } = call
  if (pendingBody === undefined) return call
  const body = await abortable(pendingBody, init.signal)
  const complete = body === undefined ? init : { ...init, body }
  return { ...call, init: complete, pendingBody: undefined }
}

function plainCall(url: URL, given: RequestInit | undefined): Call {
  const init = membersOf(given)
  if (typeof init.body === 'object') init.body = copyOf(init.body) ?? null
  const method = init.method === undefined ? 'GET' : init.method.toUpperCase()
  return { url, method, headers: new Headers(init.headers), init, pendingBody: undefined }
}

function callOf(url: URL, request: Request, overrides: RequestInit | undefined): Call {
  const init: RequestInit = {}
  for (const name of requestFields) {
    const value = request[name]
    if (value !== undefined) Object.assign(init, { [name]: value })
  }
  Object.assign(init, defined(membersOf(overrides)))
  if (typeof init.body === 'object') init.body = copyOf(init.body) ?? null
  const method = (init.method ?? 'GET').toUpperCase()
  const headers = new Headers(init.headers ?? request.headers)
  const pendingBody = init.body === undefined ? bodyOf(request) : undefined
  return { url, method, headers, init, pendingBody }
}

/** Reads the body, so that it can be signed and sent a second time. */
function bodyOf(request: Request): Promise<BodyInit | undefined> | undefined {
  if (request.body === null || request.method === 'GET' || request.method === 'HEAD') {
    return undefined
  }
  // Firefox has no `body`, so only the bytes show whether there is one.
  const isKnown = request.body !== undefined
  const body = request
    .arrayBuffer()
    .then((bytes) => (isKnown || bytes.byteLength > 0 ? bytes : undefined))
  // It is awaited only after the request was found to be allowed.
  body.catch(() => {})
  return body
}

// A Request of another realm or library is not an instance of this realm's class.
function isRequest(value: object): value is Request {
  const { arrayBuffer, url } = value as { arrayBuffer?: unknown; url?: unknown }
  return typeof arrayBuffer === 'function' && typeof url === 'string'
}

/** The base of relative URLs: the document or the worker, as the platform's `fetch` does. */
function baseUrl(): string | undefined {
  const { document, location } = globalThis as {
    document?: { readonly baseURI?: string }
    location?: { readonly href?: string }
  }
  return document?.baseURI ?? location?.href
}

/** Copies a body, so that its owner can no longer change it. */
function copyOf(body: RequestInit['body']): RequestInit['body'] {
  if (body instanceof ArrayBuffer) return body.slice(0)
  if (ArrayBuffer.isView(body)) {
    return new Uint8Array(body.buffer, body.byteOffset, body.byteLength).slice()
  }
  return body instanceof URLSearchParams ? new URLSearchParams(body) : body
}

/** Copies options. A class instance has them on its prototype, which a spread does not copy. */
function membersOf(given: RequestInit | undefined): RequestInit {
  const init: RequestInit = { ...given }
  if (given === undefined || given === null) return init
  const prototype: unknown = Object.getPrototypeOf(given)
  if (prototype === Object.prototype || prototype === null) return init
  for (const name of initFields) {
    if (Object.hasOwn(init, name)) continue
    const value = (given as Readonly<Record<string, unknown>>)[name]
    if (value !== undefined) Object.assign(init, { [name]: value })
  }
  return init
}

/** Removes undefined members: they do not replace those of a `Request`. */
function defined(init: RequestInit): RequestInit {
  return Object.fromEntries(Object.entries(init).filter(([, value]) => value !== undefined))
}
