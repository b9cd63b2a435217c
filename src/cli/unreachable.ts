/**
 * Explains why a server cannot be reached, with the same messages in every command.
 *
 * @module
 */
import { CredentialError } from '../index.ts'
import { commandWord, labelOf } from './labels.ts'
import { problemOf } from './problem.ts'

/** An explanation and its remedy. */
export interface Explanation {
  readonly text: string
  /** `undefined`: only `doctor` can find the cause. */
  readonly remedy: string | undefined
}

/** Explanations of system error codes. */
const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens at that address and port.',
  ECONNRESET: 'The server closed the connection without a response.',
  EHOSTUNREACH: 'There is no route to that address.',
  ENETUNREACH: 'There is no route to that network.',
  UND_ERR_SOCKET: 'The server closed the connection without a response.',
}

/** The remedy for codes without a specific one. */
export const checkAddressRemedy =
  'Check the host and the port, whether the server runs, and whether a VPN or a proxy is needed.'

/**
 * Explains a system error code.
 *
 * @returns `undefined`: there is no explanation for the code.
 */
export function explainCode(code: string): Explanation | undefined {
  if (code === blockedPort) {
    return {
      text: 'The port belongs to another protocol, and fetch blocks it.',
      remedy: 'Correct the port in the URL, or configure another port for the server.',
    }
  }
  if (code === 'ENOTFOUND') {
    return {
      text: 'The host name has no address.',
      remedy: 'Check the spelling of the host, and whether a VPN is required.',
    }
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return {
      text: 'The certificate of the server has expired.',
      remedy:
        "Check this machine's clock; if it is correct, the server's operator must renew the certificate.",
    }
  }
  if (/CERT|^UNABLE_TO_/.test(code)) {
    return { text: 'This machine does not trust the certificate of the server.', remedy: undefined }
  }
  const text = Object.hasOwn(texts, code) ? texts[code] : undefined
  return text === undefined ? undefined : { text, remedy: checkAddressRemedy }
}

/** The error for a server that cannot be reached. */
export function unreachableError(url: URL, code: string | undefined): CredentialError {
  const label = labelOf(url)
  const problem = `${label} cannot be reached${code === undefined ? '' : ` (${code})`}.`
  return explainedError(problem, url, code)
}

/** An error that names the code of the system; others stay as they are. */
export function withExplanation(error: CredentialError, url: URL): CredentialError {
  const { systemCode } = error
  return systemCode === undefined ? error : explainedError(problemOf(error), url, systemCode)
}

function explainedError(problem: string, url: URL, code: string | undefined): CredentialError {
  const doctor = `npx mcp-credentials doctor ${commandWord(labelOf(url))}`
  const words = explainCode(code ?? '')
  const text = words === undefined ? problem : `${problem} ${words.text}`
  const check = words === undefined ? `${checkAddressRemedy} ` : ''
  const remedy = words?.remedy ?? `${check}For a full check, run \`${doctor}\`.`
  return new CredentialError('network', text, { resource: url, retryable: true, remedy })
}

const blockedPort = 'BLOCKED_PORT'

/** The system error code of an error or of its causes; `fetch` wraps it. */
export function errorCode(error: unknown): string | undefined {
  for (let each = error, depth = 0; depth < 4; depth += 1) {
    if (typeof each !== 'object' || each === null) return undefined
    const { code, cause, message } = each as Readonly<Record<string, unknown>>
    // Ports of other protocols have no code (Fetch Standard, section 2.9).
    if (message === 'bad port') return blockedPort
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,63}$/.test(code)) return code
    each = cause
  }
  return undefined
}
