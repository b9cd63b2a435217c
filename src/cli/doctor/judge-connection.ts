/**
 * Judges name, address, certificate and clock.
 *
 * @module
 */

import { labelOf } from '../labels.ts'
import { checkPlace, whyUnreachable } from '../unreachable.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import type { Certificate, Seen } from './seen.ts'
import { cleaned, quoted } from './shown.ts'

const dayMs = 86_400_000
/** A certificate that ends sooner is worth a word, in days. */
const soonDays = 14
/** A clock that is off by more is worth a word, in milliseconds. */
const smallSkewMs = 60_000

/** Judges what comes before the first request. */
export function judgeConnection(seen: Seen): readonly Finding[] {
  return [
    ...judgeUrl(seen),
    ...judgeAddress(seen),
    ...judgeCertificate(seen),
    ...judgeSilence(seen),
    ...judgeClock(seen),
  ]
}

function judgeUrl({ url, hadUserInfo, address }: Seen): readonly Finding[] {
  const findings: Finding[] = []
  if (hadUserInfo) {
    findings.push(
      problem(
        'url',
        'The URL contains a user name or a password. They were left out here, and no client may send them.',
        'Take them out of the URL, and use basic() if the server wants them.',
      ),
    )
  }
  if (url.search !== '') {
    findings.push(
      note(
        'url',
        'The URL has a query, which was sent and is not shown. URLs end up in logs, so a key does not belong there.',
        'If it holds a key, store it with `npx mcp-credentials set` and take it out of the URL.',
      ),
    )
  }
  if (url.protocol === 'http:' && !isHere(address)) {
    findings.push(
      problem(
        'url',
        'The URL begins with http://, so others on the network can read the credential. This library sends one over http to this machine only (localhost, 127.0.0.1, [::1]).',
        'Use https://, or a tunnel that ends on this machine. Only if nobody else can read the network: set `allowInsecure: true` in the options of withCredentials(), authorizedFetch() or connect(). The commands send nothing over http.',
      ),
    )
  }
  return findings
}

function isHere({ hostname, addresses }: Seen['address']): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  // A name may lead elsewhere tomorrow, so only addresses count besides.
  return addresses.some(({ address, range }) => address === hostname && range === 'loopback')
}

function judgeAddress({ address }: Seen): readonly Finding[] {
  const { hostname, addresses, errorCode } = address
  const name = cleaned(hostname, 120)
  if (errorCode !== undefined) {
    const isUnknown = errorCode === 'ENOTFOUND'
    return [
      problem(
        'address',
        isUnknown
          ? `There is no address for ${name}.`
          : `The name ${name} could not be looked up (${errorCode}).`,
        isUnknown
          ? 'Check the spelling of the host, and whether a VPN is needed to reach it.'
          : 'Check the network and its name server, and try again.',
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
      `${what} (not public: ${kinds}). It can be reached from its own network only.`,
      'A client that uses publicFetch() will refuse it.',
    ),
  ]
}

/** What Node says of certificates that it does not trust, in words. */
const untrusted: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is self-signed',
  SELF_SIGNED_CERT_IN_CHAIN: 'was issued by an authority that this machine does not know',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'was issued by an authority that this machine does not know',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'comes without the intermediate certificate that vouches for it',
}

function judgeCertificate(seen: Seen): readonly Finding[] {
  const { certificate, url, checksNoCertificates, at } = seen
  const findings: Finding[] = []
  if (checksNoCertificates) {
    findings.push(
      problem(
        'tls',
        'NODE_TLS_REJECT_UNAUTHORIZED is 0, so this process checks no certificate, and anybody can pose as the server.',
        'Unset it. For an authority of your own, set NODE_EXTRA_CA_CERTS to its certificate.',
      ),
    )
  }
  if (url.protocol !== 'https:') return findings
  if (certificate === undefined) return findings
  const { problem: code } = certificate
  return [
    ...findings,
    code === undefined ? judgeValidity(certificate, at) : refused(certificate, at),
  ]
}

function judgeValidity({ issuer, validTo, protocol }: Certificate, at: number): Finding {
  const days = Math.floor((validTo - at) / dayMs)
  const text = `The certificate is valid until ${dateOf(validTo)} (${protocol}, issued by ${quoted(issuer)}).`
  if (days >= soonDays) return ok('tls', text)
  return note('tls', `${text} That is in ${days === 1 ? '1 day' : `${days} days`}.`, 'Renew it.')
}

function refused(certificate: Certificate, at: number): Finding {
  const { problem: code = '', subject, validFrom, validTo } = certificate
  if (code === 'CERT_HAS_EXPIRED') {
    const text =
      validTo < at
        ? `The certificate has expired on ${dateOf(validTo)}.`
        : 'A certificate in the chain has expired.'
    return problem('tls', text, 'Renew it on the server.')
  }
  if (code === 'CERT_NOT_YET_VALID') {
    const text = `The certificate is valid from ${dateOf(validFrom)} on only.`
    return problem('tls', text, "Check this machine's clock, or replace the certificate.")
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const text = `The certificate is for another host (${quoted(subject)}).`
    return problem('tls', text, 'Use the name that the certificate is for, or replace it.')
  }
  const why = untrusted[code] ?? `is not trusted by this machine (${code})`
  const isOfServer = code === 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'
  return problem(
    'tls',
    `The certificate ${why}, so no client connects.`,
    isOfServer
      ? 'Let the server send the intermediate certificate too. Until then, set NODE_EXTRA_CA_CERTS to a file with it.'
      : 'If it is yours, set the environment variable NODE_EXTRA_CA_CERTS to a file with the certificate of its authority (PEM), before Node starts.',
  )
}

function judgeSilence({ conversation, certificate, url, ignoresProxy }: Seen): readonly Finding[] {
  const { post, get } = conversation ?? {}
  if (post?.kind !== 'silence' || get?.kind === 'reply') return []
  // Said already.
  if (certificate?.problem !== undefined) return []
  const { code, isLate } = post
  const why = whyUnreachable(code ?? '')
  if (url.protocol === 'https:' && code?.startsWith('ERR_SSL_') === true) {
    const remedy = 'Check the port, or whether the URL should begin with http://.'
    return [problem('reachable', 'What answers there does not speak TLS.', remedy)]
  }
  const text = isLate
    ? 'The server did not answer within 10 seconds.'
    : (why?.text ?? `The server cannot be reached${code === undefined ? '' : ` (${code})`}.`)
  const proxy =
    'A proxy is set in the environment, which Node uses only with NODE_USE_ENV_PROXY=1 (Node 22.21 or 24, and later). Set it, or check the host and the port.'
  return [problem('reachable', text, ignoresProxy ? proxy : (why?.remedy ?? checkPlace))]
}

function judgeClock({ clocks }: Seen): readonly Finding[] {
  const off = [...clocks].filter(([, offset]) => Math.abs(offset) > smallSkewMs)
  if (clocks.size === 0) return []
  if (off.length === 0) return [ok('clock', 'The clocks of the servers and of this machine agree.')]
  return off.map(([origin, offset]) => {
    const text = `The clock of ${labelOf(origin)} is ${durationOf(Math.abs(offset))} ${offset > 0 ? 'ahead of' : 'behind'} the clock of this machine.`
    const remedy = 'Set the clock that is wrong: signatures and tokens are valid for minutes only.'
    // The library corrects what is less.
    return Math.abs(offset) > dayMs ? problem('clock', text, remedy) : note('clock', text, remedy)
  })
}

function durationOf(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000)
  if (minutes < 120) return `${minutes} minute${minutes === 1 ? '' : 's'}`
  const hours = Math.round(minutes / 60)
  return hours < 48 ? `${hours} hours` : `${Math.round(hours / 24)} days`
}

/** The day of a moment in UTC. */
export function dateOf(milliseconds: number): string {
  return Number.isNaN(milliseconds)
    ? 'an unknown day'
    : new Date(milliseconds).toISOString().slice(0, 10)
}
