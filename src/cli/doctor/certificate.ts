/**
 * Reads the certificate of a server.
 *
 * @module
 */
import { isIP } from 'node:net'
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls'
import type { Certificate } from './observations.ts'

/** The time limit of the handshake in milliseconds. */
const limitMs = 10_000

/** Reads the certificate of an https server, and sends no request; `undefined`: the handshake failed. */
export async function examineCertificate(
  { hostname, port }: URL,
  signal: AbortSignal,
): Promise<Certificate | undefined> {
  const host = hostname.replace(/^\[|\]$/g, '')
  const socket = connect({
    host,
    port: port === '' ? 443 : Number(port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // Untrusted certificates are examined too. Requests do verify the certificate.
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
  // Node sets an error code, contrary to its types.
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
