import { readFileSync } from 'node:fs'
import { TLSSocket } from 'node:tls'
import type { CertificateFiles } from './certificates.ts'
import { type HostOptions, type RunningServer, startMcpServer } from './mcp-server.ts'

/** Options of {@link startMtlsServer}. */
export interface MtlsServerOptions extends Omit<HostOptions, 'tls'> {
  /** The server's own certificate. */
  readonly certificate: CertificateFiles
  /** The authority whose clients are let in. */
  readonly ca: string
}

/** Starts an MCP server over https that knows its callers by the common name of their certificate. */
export function startMtlsServer(options: MtlsServerOptions): Promise<RunningServer> {
  const { certificate, ca, ...host } = options
  return startMcpServer({
    ...host,
    tls: {
      cert: readFileSync(certificate.cert),
      key: readFileSync(certificate.key),
      ca: readFileSync(ca),
      requestCert: true,
      rejectUnauthorized: true,
    },
    authenticate: ({ socket }) => {
      if (!(socket instanceof TLSSocket) || !socket.authorized) return {}
      const subject = socket.getPeerCertificate().subject.CN
      return typeof subject === 'string' ? { identity: { subject } } : {}
    },
  })
}
