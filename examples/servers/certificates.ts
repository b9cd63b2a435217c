import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where a certificate and its private key are. */
export interface CertificateFiles {
  readonly cert: string
  readonly key: string
}

/** A certificate authority for demonstrations, in a folder of its own. */
export interface CertificateAuthority {
  /** Its folder. */
  readonly folder: string
  /** Its own certificate. */
  readonly ca: string
  /** Issues a certificate for a day; a server's is for 127.0.0.1. */
  issue(commonName: string, options?: { readonly server?: boolean }): CertificateFiles
  /** Deletes the folder. */
  remove(): void
}

/** Makes a certificate authority with the `openssl` command line, in a temporary folder. */
export function createCertificateAuthority(): CertificateAuthority {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-certificates-'))
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const ca = join(folder, 'ca.pem')
  const caKey = join(folder, 'ca-key.pem')
  openssl(
    ...['req', '-x509', ...newKey, '-subj', '/CN=Example CA', '-days', '1'],
    ...['-keyout', caKey, '-out', ca],
  )
  let serial = 0
  return {
    folder,
    ca,
    issue(commonName, { server = false } = {}) {
      serial += 1
      const path = (end: string) => join(folder, `${serial}${end}`)
      const cert = path('.pem')
      const key = path('-key.pem')
      const usage = server
        ? 'extendedKeyUsage=serverAuth\nsubjectAltName=IP:127.0.0.1'
        : 'extendedKeyUsage=clientAuth'
      writeFileSync(path('.ext'), usage)
      openssl(
        ...['req', '-new', ...newKey, '-subj', `/CN=${commonName}`],
        ...['-keyout', key, '-out', path('.csr')],
      )
      openssl(
        ...['x509', '-req', '-in', path('.csr'), '-CA', ca, '-CAkey', caKey],
        ...['-set_serial', String(serial), '-days', '1', '-extfile', path('.ext'), '-out', cert],
      )
      return { cert, key }
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
}
