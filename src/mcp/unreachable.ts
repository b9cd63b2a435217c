/**
 * Explains errors of the network and of TLS.
 *
 * @module
 */
import { systemErrorCode } from '../errors.ts'
import type { Explanation } from './sighting.ts'

interface Cause {
  /** The codes of Node and OpenSSL that say it. */
  readonly codes: RegExp
  readonly text: (url: URL, code: string) => string
  readonly step: string
  readonly retryable: boolean
}

const causes: readonly Cause[] = [
  {
    codes: /^ECONNREFUSED$/,
    text: ({ origin }, code) => `Nothing listens at ${origin} (${code}).`,
    step: 'Start the server, or check the host and the port of the URL',
    retryable: true,
  },
  {
    codes: /^(?:ENOTFOUND|EAI_AGAIN|EAI_NONAME|EAI_NODATA)$/,
    text: ({ hostname }, code) => `The name ${hostname} cannot be resolved (${code}).`,
    step: 'Check the spelling of the URL, and the connection to the network or VPN',
    retryable: true,
  },
  {
    codes:
      /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:VERIFY|GET)_.*)$/,
    text: ({ origin }, code) =>
      `The certificate of ${origin} is signed by an authority that this machine does not know (${code}).`,
    step: 'If you trust that authority, set NODE_EXTRA_CA_CERTS to the path of its certificate (PEM) before Node starts',
    retryable: false,
  },
  {
    codes: /^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)$/,
    text: ({ origin }, code) => `The certificate of ${origin} is not valid at this time (${code}).`,
    step: "Check the clock of this machine; if it is right, tell the server's operator",
    retryable: false,
  },
  {
    codes: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    text: ({ hostname }, code) => `The certificate is not for the name ${hostname} (${code}).`,
    step: 'Use the host name that the certificate names',
    retryable: false,
  },
  {
    codes: /^(?:EPROTO|ERR_SSL_.*|ERR_TLS_.*)$/,
    text: ({ origin }, code) => `No TLS connection to ${origin} comes about (${code}).`,
    step: 'Check the port, and whether the server is reached by http: or https:',
    retryable: false,
  },
  {
    codes: /^(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|UND_ERR_.*TIMEOUT)$/,
    text: ({ origin }, code) => `${origin} does not answer (${code}).`,
    step: 'Check the connection to the network or VPN, and try again later',
    retryable: true,
  },
  {
    codes: /^(?:ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|HPE_.*)$/,
    text: ({ origin }, code) => `The connection to ${origin} was cut (${code}).`,
    step: 'Check the port, and whether the server is reached by http: or https:; try again later',
    retryable: true,
  },
]

/** Explains what `fetch` threw; `undefined`: it is no error of the network. */
export function unreachable(resource: URL, failure: unknown): Explanation | undefined {
  const code = systemErrorCode(failure)
  const cause = causes.find(({ codes }) => code !== undefined && codes.test(code))
  if (cause !== undefined && code !== undefined) {
    const { text, step, retryable } = cause
    return { code: 'network', text: text(resource, code), step, retryable }
  }
  // What the runtimes say of anything that is wrong with the network; a mistake in a `fetch` is another TypeError.
  const isFailedFetch =
    failure instanceof TypeError && /fetch|network|load failed/i.test(failure.message)
  if (!isFailedFetch) return undefined
  return {
    code: 'network',
    text: `${resource.origin} cannot be reached${code === undefined ? '' : ` (${code})`}.`,
    step: 'Check the URL and the network',
    retryable: true,
  }
}
