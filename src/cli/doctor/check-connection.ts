/**
 * Checks the URL, the address, the certificate and the clock.
 *
 * @module
 */

import { labelOf } from '../labels.ts'
import { checkAddressRemedy, explainCode } from '../unreachable.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import type { Certificate, Observations } from './observations.ts'
import { cleaned, quoted } from './untrusted-text.ts'

const dayMs = 86_400_000
/** Certificates that expire sooner are reported, in days. */
const soonDays = 14
/** Larger clock offsets are reported, in milliseconds. */
const smallSkewMs = 60_000

/** Checks everything before the first request. */
export function checkConnection(observed: Observations): readonly Finding[] {
  return [
    ...checkUrl(observed),
    ...checkAddress(observed),
    ...checkCertificate(observed),
    ...checkSilence(observed),
    ...checkClock(observed),
  ]
}

function checkUrl({ url, hadUserInfo, address }: Observations): readonly Finding[] {
  const findings: Finding[] = []
  if (hadUserInfo) {
    findings.push(
      problem(
        'url',
        'The URL contains a user name or a password. They were not sent, and no client may send them.',
        'Remove them from the URL, and use basic() if the server requires them.',
      ),
    )
  }
  if (url.search !== '') {
    findings.push(
      note(
        'url',
        'The URL has a query, which was sent and is not shown. URLs appear in logs, so they must not contain keys.',
        'If it contains a key, store the key with `npx mcp-credentials set`, and remove it from the URL.',
      ),
    )
  }
  if (url.protocol === 'http:' && !isHere(address)) {
    findings.push(
      problem(
        'url',
        'The URL starts with http://, so others on the network can read the credential. This library sends credentials over http only to this machine (localhost, 127.0.0.1, [::1]).',
        'Use https://, or a tunnel that ends on this machine. Only in a network that others cannot read: set `allowInsecure: true` in the options of withCredentials(), authorizedFetch() or connect(). The commands send no credentials over http.',
      ),
    )
  }
  return findings
}

function isHere({ hostname, addresses }: Observations['address']): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  // The address of a name can change, so other names do not count as local.
  return addresses.some(({ address, range }) => address === hostname && range === 'loopback')
}

function checkAddress({ address }: Observations): readonly Finding[] {
  const { hostname, addresses, errorCode } = address
  const name = cleaned(hostname, 120)
  if (errorCode !== undefined) {
    const isUnknown = errorCode === 'ENOTFOUND'
    return [
      problem(
        'address',
        isUnknown
          ? `The host ${name} has no address.`
          : `The host ${name} could not be resolved (${errorCode}).`,
        isUnknown
          ? 'Check the spelling of the host, and whether a VPN is required.'
          : 'Check the network and its DNS server, and try again.',
      ),
    ]
  }
  const shown = addresses.slice(0, 3).map(({ address: text }) => text)
  const more = addresses.length > 3 ? ` and ${addresses.length - 3} more` : ''
  const [first] = shown
  const what = first === hostname ? name : `${name} is ${shown.join(', ')}${more}`
  const ranges = new Set(addresses.map(({ range }) => range))
  if (ranges.size === 1 && ranges.has('unicast')) return [ok('address', `${what} (public).`)]
  if (ranges.size === 1 && ranges.has('loopback')) {
    return [ok('address', `${what} (this machine).`)]
  }
  const kinds = [...ranges].map((range) => (range === 'unicast' ? 'public' : range)).join(', ')
  return [
    note(
      'address',
      `${what} (not public: ${kinds}). It can be reached only from its own network.`,
      'Clients with publicFetch() refuse it.',
    ),
  ]
}

/** Explanations of Node's codes for untrusted certificates. */
const untrusted: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'was issued by an authority that this machine does not trust',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'was issued by an authority that this machine does not trust',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'was sent without its intermediate certificate',
}

function checkCertificate(observed: Observations): readonly Finding[] {
  const { certificate, url, checksNoCertificates, at } = observed
  const findings: Finding[] = []
  if (checksNoCertificates) {
    findings.push(
      problem(
        'tls',
        'NODE_TLS_REJECT_UNAUTHORIZED is 0, so this process verifies no certificates, and anyone can impersonate the server.',
        'Unset it. For your own certificate authority, set NODE_EXTRA_CA_CERTS to its certificate.',
      ),
    )
  }
  if (url.protocol !== 'https:') return findings
  if (certificate === undefined) return findings
  const { problem: code } = certificate
  return [
    ...findings,
    code === undefined ? checkValidity(certificate, at) : refused(certificate, at),
  ]
}

function checkValidity({ issuer, validTo, protocol }: Certificate, at: number): Finding {
  const days = Math.floor((validTo - at) / dayMs)
  const text = `The certificate is valid until ${dateOf(validTo)} (${protocol}, issued by ${quoted(issuer)}).`
  if (days >= soonDays) return ok('tls', text)
  return note('tls', `${text} It expires in ${days === 1 ? '1 day' : `${days} days`}.`, 'Renew it.')
}

function refused(certificate: Certificate, at: number): Finding {
  const { problem: code = '', subject, validFrom, validTo } = certificate
  if (code === 'CERT_HAS_EXPIRED') {
    const text =
      validTo < at
        ? `The certificate expired on ${dateOf(validTo)}.`
        : 'A certificate in the chain has expired.'
    return problem('tls', text, 'Renew it on the server.')
  }
  if (code === 'CERT_NOT_YET_VALID') {
    const text = `The certificate is not valid before ${dateOf(validFrom)}.`
    return problem('tls', text, "Check this machine's clock, or replace the certificate.")
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const text = `The certificate is for another host (${quoted(subject)}).`
    return problem('tls', text, 'Use the host name of the certificate, or replace the certificate.')
  }
  const why = untrusted[code] ?? `is not trusted by this machine (${code})`
  const isOfServer = code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  return problem(
    'tls',
    `The certificate ${why}, so no client connects.`,
    isOfServer
      ? 'Configure the server to send the intermediate certificate. Until then, set NODE_EXTRA_CA_CERTS to a file that contains it.'
      : 'If you trust the authority, set the environment variable NODE_EXTRA_CA_CERTS to a file with its certificate (PEM) before Node starts.',
  )
}

function checkSilence({
  conversation,
  certificate,
  url,
  ignoresProxy,
}: Observations): readonly Finding[] {
  const { post, get } = conversation ?? {}
  if (post?.kind !== 'no-response' || get?.kind === 'response') return []
  // Reported with the certificate.
  if (certificate?.problem !== undefined) return []
  const { code, isLate } = post
  const why = explainCode(code ?? '')
  if (url.protocol === 'https:' && code?.startsWith('ERR_SSL_') === true) {
    const remedy = 'Check the port, and whether the URL should start with http://.'
    return [problem('reachable', 'The server does not support TLS on this port.', remedy)]
  }
  const text = isLate
    ? 'The server did not respond within 10 seconds.'
    : (why?.text ?? `The server cannot be reached${code === undefined ? '' : ` (${code})`}.`)
  const proxy =
    'The environment configures a proxy, which Node uses only with NODE_USE_ENV_PROXY=1 (Node 22.21 or 24, and later). Set it, or check the host and the port.'
  return [problem('reachable', text, ignoresProxy ? proxy : (why?.remedy ?? checkAddressRemedy))]
}

function checkClock({ clocks }: Observations): readonly Finding[] {
  const off = [...clocks].filter(([, offset]) => Math.abs(offset) > smallSkewMs)
  if (clocks.size === 0) return []
  if (off.length === 0) return [ok('clock', 'The clocks of the servers and of this machine agree.')]
  return off.map(([origin, offset]) => {
    const text = `The clock of ${labelOf(origin)} is ${durationOf(Math.abs(offset))} ${offset > 0 ? 'ahead of' : 'behind'} the clock of this machine.`
    const remedy =
      'Correct the clock that is wrong: signatures and tokens are valid only for minutes.'
    // The library corrects smaller offsets.
    return Math.abs(offset) > dayMs ? problem('clock', text, remedy) : note('clock', text, remedy)
  })
}

function durationOf(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000)
  if (minutes < 120) return `${minutes} minute${minutes === 1 ? '' : 's'}`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`
}

/** The date of a time in UTC. */
export function dateOf(milliseconds: number): string {
  return Number.isNaN(milliseconds)
    ? 'an unknown day'
    : new Date(milliseconds).toISOString().slice(0, 10)
}
