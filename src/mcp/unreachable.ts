/**
 * Explains errors of the network and of TLS.
 *
 * @module
 */
import { systemErrorCode } from '../errors.ts'
import type { Explanation } from './observations.ts'

interface Cause {
  /** The codes of Node and OpenSSL. */
  readonly codes: RegExp
  readonly text: (url: URL, code: string) => string
  readonly step: string
  readonly retryable: boolean
}

const causes: readonly Cause[] = [
  {
    codes: /^ECONNREFUSED$/,
    text: ({ origin }, code) => `No server is listening at ${origin} (${code}).`,
    step: 'Start the server, or check the host and the port of the URL',
    retryable: true,
  },
  {
    codes: /^(?:ENOTFOUND|EAI_AGAIN|EAI_NONAME|EAI_NODATA)$/,
    text: ({ hostname }, code) => `The host ${hostname} cannot be resolved (${code}).`,
    step: 'Check the spelling of the URL, and the connection to the network or VPN',
    retryable: true,
  },
  {
    codes:
      /^(?:DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT_IN_CHAIN|UNABLE_TO_(?:VERIFY|GET)_.*)$/,
    text: ({ origin }, code) =>
      `The certificate of ${origin} was issued by an authority that this machine does not trust (${code}).`,
    step: 'If you trust that authority, set NODE_EXTRA_CA_CERTS to the path of its certificate (PEM) before Node starts',
    retryable: false,
  },
  {
    codes: /^CERT_(?:HAS_EXPIRED|NOT_YET_VALID)$/,
    text: ({ origin }, code) => `The certificate of ${origin} is not valid at this time (${code}).`,
    step: "Check the clock of this machine; if it is correct, contact the server's operator",
    retryable: false,
  },
  {
    codes: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    text: ({ hostname }, code) =>
      `The certificate is not valid for the host ${hostname} (${code}).`,
    step: 'Use the host name of the certificate',
    retryable: false,
  },
  {
    codes: /^(?:EPROTO|ERR_SSL_.*|ERR_TLS_.*)$/,
    text: ({ origin }, code) => `The TLS connection to ${origin} failed (${code}).`,
    step: 'Check the port, and whether the URL must start with http: or https:',
    retryable: false,
  },
  {
    codes: /^(?:ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ENETDOWN|UND_ERR_.*TIMEOUT)$/,
    text: ({ origin }, code) => `${origin} does not respond (${code}).`,
    step: 'Check the connection to the network or VPN, and try again later',
    retryable: true,
  },
  {
    codes: /^(?:ECONNRESET|ECONNABORTED|EPIPE|UND_ERR_SOCKET|HPE_.*)$/,
    text: ({ origin }, code) => `The connection to ${origin} was closed (${code}).`,
    step: 'Check the port, and whether the URL must start with http: or https:; then try again',
    retryable: true,
  },
]

/** Explains an error of `fetch`; `undefined`: it is not a network error. */
export function unreachable(resource: URL, failure: unknown): Explanation | undefined {
  const code = systemErrorCode(failure)
  const cause = causes.find(({ codes }) => code !== undefined && codes.test(code))
  if (cause !== undefined && code !== undefined) {
    const { text, step, retryable } = cause
    return { code: 'network', systemCode: code, text: text(resource, code), step, retryable }
  }
  // The messages of the runtimes for network errors; a programming error in a custom `fetch` is also a
  // TypeError.
  const isFailedFetch =
    failure instanceof TypeError && /fetch|network|load failed/i.test(failure.message)
  if (!isFailedFetch) return undefined
  return {
    code: 'network',
    systemCode: code,
    text: `${resource.origin} cannot be reached${code === undefined ? '' : ` (${code})`}.`,
    step: 'Check the URL and the network',
    retryable: true,
  }
}
