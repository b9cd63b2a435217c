/**
 * The certificate of a server.
 *
 * @module
 */
import { isIP } from 'node:net'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Certificate } from './seen.ts'

/** Milliseconds that the handshake may take. */
const limitMs = 10_000

/** Reads the certificate of an https server; `undefined`: there was no handshake. Nothing else is sent. */
export async function examineCertificate(
  { hostname, port }: URL,
  signal: AbortSignal,
): Promise<Certificate | undefined> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: port === '' ? 443 : Number(port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // A certificate that is not trusted is what this is about. The requests do check it.
    rejectUnauthorized: false,
  })
  try {
    return await handshake(socket, signal)
  } finally {
    socket.destroy()
  }
}

function handshake(socket: TLSSocket, signal: AbortSignal): Promise<Certificate | undefined> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    const finish = (certificate: Certificate | undefined) => {
      signal.removeEventListener('abort', leave)
      resolve(certificate)
    }
    socket.setTimeout(limitMs, () => finish(undefined))
    socket.once('error', () => finish(undefined))
    socket.once('secureConnect', () => finish(certificateOf(socket)))
  })
}

function certificateOf(socket: TLSSocket): Certificate | undefined {
  const peer = socket.getPeerCertificate()
  if (Object.keys(peer).length === 0) return undefined
  // Node sets the code of the error, whatever its types say.
  const problem: unknown = socket.authorizationError
  return {
    subject: nameOf(peer.subject),
    issuer: nameOf(peer.issuer),
    validFrom: Date.parse(peer.valid_from),
    validTo: Date.parse(peer.valid_to),
    protocol: socket.getProtocol() ?? 'TLS',
    ...(socket.authorized ? {} : { problem: problemOf(problem) }),
  }
}

function problemOf(problem: unknown): string {
  const text = problem instanceof Error ? (problem as { code?: unknown }).code : problem
  return typeof text === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(text) ? text : 'UNKNOWN'
}

function nameOf(name: Partial<PeerCertificate['subject']> | undefined): string {
  const [text = ''] = [name?.CN, name?.O].flat().filter((each) => typeof each === 'string')
  return text
}
