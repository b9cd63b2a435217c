/**
 * Receives the callback of a login on this machine.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { toBase64Url } from '../encoding.ts'
import { ConfigurationError } from '../errors.ts'
import { isFromTrustedUser } from './other-user.ts'

/** A listener on a loopback address (RFC 8252, section 7.3). */
export interface LoopbackListener {
  /** The redirect URI, with the actual port. */
  readonly redirectUri: string
  /** The first request that carries the expected state. */
  readonly callback: Promise<URL>
  /** Serves a page that redirects to a URL, only to the first request of a trusted user. */
  showOnce(url: URL): OneTimePage
  close(): void
}

/** A page that can be read once, so that its address is useless afterwards. */
export interface OneTimePage {
  /** Its address, which cannot be guessed. */
  readonly address: string
  /** Resolves when it is requested again: one of the two requests was not from the user's browser. */
  readonly repeated: Promise<void>
}

/** What to listen for. */
export interface LoopbackOptions {
  /** The redirect URI; without a port a free one is chosen. */
  readonly redirectUri: URL
  /** The port of an earlier login, reused if it is free. */
  readonly preferredPort: number | undefined
  readonly state: string
}

// The page contains nothing of the request, so nothing can be injected.
const page = (text: string) =>
  `<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign-in</title><style>body{font:1.1rem/1.6 system-ui,sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}</style><h1>${text}</h1><p>You can close this window and return to the application.</p></html>`
const done = page('The login is complete.')
const failed = page('The login failed.')

/**
 * Listens until one request with the correct state arrives. Other requests are answered and ignored, so that
 * no other page can end a login by calling the address.
 *
 * @param isTrusted - Whether the page may be shown to the other end of a connection. Default: not to other
 *   users of this machine.
 * @throws `ConfigurationError` when the requested port is in use.
 */
export async function listenForCallback(
  options: LoopbackOptions,
  isTrusted: ConnectionCheck = isFromTrustedUser,
): Promise<LoopbackListener> {
  const { redirectUri, preferredPort, state } = options
  let arrived: (url: URL) => void = () => {}
  const callback = new Promise<URL>((resolve) => {
    arrived = resolve
  })
  const pages = new Map<string, PageServer>()
  const server = createServer((request, response) => {
    const page = pages.get(request.url ?? '')
    if (page !== undefined) return void page(request, response)
    const url = readCallback(request, target, state)
    // The page has been sent, and no other connection needs to finish.
    if (url !== undefined) response.once('close', () => arrived(url))
    const success = url !== undefined && !url.searchParams.has('error')
    respond(response, url === undefined ? 400 : 200, success)
  })
  const target = new URL(redirectUri)
  const asked = redirectUri.port === '' ? undefined : Number(redirectUri.port)
  await listen(server, redirectUri.hostname, asked, preferredPort)
  target.port = String((server.address() as AddressInfo).port)
  return {
    redirectUri: target.href,
    callback,
    showOnce(url) {
      const path = `/${toBase64Url(crypto.getRandomValues(new Uint8Array(32)))}`
      const repeated = new Promise<void>((resolve) =>
        pages.set(path, pageServer(url, resolve, isTrusted)),
      )
      return { address: `${target.origin}${path}`, repeated }
    },
    close() {
      server.close()
      // Browsers open connections that they do not use, which would keep the process running.
      server.closeAllConnections()
    },
  }
}

type ConnectionCheck = (socket: Socket) => Promise<boolean>
type PageServer = (request: IncomingMessage, response: ServerResponse) => Promise<void>

/** Redirects the first request to a URL, and reports any other. */
function pageServer(url: URL, repeated: () => void, isTrusted: ConnectionCheck): PageServer {
  let served = false
  return async (request, response) => {
    const { method, headers, socket } = request
    const isSpeculative = headers['sec-purpose'] !== undefined || headers['purpose'] !== undefined
    if (method !== 'GET' || isSpeculative || !(await isTrusted(socket))) {
      return respond(response, 403, false)
    }
    // A connection that was closed in the meantime cannot receive the page.
    if (!socket.writable) return
    if (served) {
      // The failure page is sent before the listener is closed.
      response.once('close', repeated)
      return respond(response, 410, false)
    }
    served = true
    response.writeHead(303, { ...pageHeaders, Location: url.href }).end()
  }
}

function readCallback(request: IncomingMessage, target: URL, state: string): URL | undefined {
  const text = `${target.origin}${request.url ?? ''}`
  if (request.method !== 'GET' || !URL.canParse(text)) return undefined
  const url = new URL(text)
  if (url.origin !== target.origin || url.pathname !== target.pathname) return undefined
  return url.searchParams.get('state') === state ? url : undefined
}

const pageHeaders = {
  'Content-Type': 'text/html; charset=utf-8',
  'Content-Security-Policy': "default-src 'none'; style-src 'unsafe-inline'",
  'Cache-Control': 'no-store',
  'Referrer-Policy': 'no-referrer',
  'X-Content-Type-Options': 'nosniff',
  Connection: 'close',
}

function respond(response: ServerResponse, status: number, success: boolean): void {
  response.writeHead(status, pageHeaders)
  response.end(success ? done : failed)
}

async function listen(
  server: Server,
  hostname: string,
  asked: number | undefined,
  preferred: number | undefined,
): Promise<void> {
  // `localhost` may resolve to either address family; the browser tries both.
  const host = hostname.replace(/^\[|\]$/g, '')
  const attempt = (port: number) =>
    new Promise<boolean>((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRINUSE' || error.code === 'EACCES') resolve(false)
        else reject(error)
      }
      server.once('error', onError)
      server.listen(port, host, () => {
        server.off('error', onError)
        resolve(true)
      })
    })
  if (asked !== undefined) {
    if (await attempt(asked)) return
    throw new ConfigurationError(
      'authorizationCode.redirectUri',
      `authorizationCode.redirectUri: port ${asked} is in use; leave the port out, or free it.`,
    )
  }
  if (preferred !== undefined && (await attempt(preferred))) return
  await attempt(0)
}
