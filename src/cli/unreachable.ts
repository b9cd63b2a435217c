/**
 * Why a server cannot be reached, and what to do: the same words in every command.
 *
 * @module
 */
import { CredentialError } from '../index.ts'
import { commandWord, labelOf } from './labels.ts'

/** What happened, and what to do. */
export interface Words {
  readonly text: string
  /** Absent: only a full check can tell. */
  readonly remedy: string | undefined
}

/** What the system says when nothing answers, in words. */
const texts: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'Nothing listens at that address and port.',
  ECONNRESET: 'The server closed the connection without an answer.',
  EHOSTUNREACH: 'There is no route to that address.',
  ENETUNREACH: 'There is no route to that network.',
  UND_ERR_SOCKET: 'The server closed the connection without an answer.',
}

/** What to check where nothing else is known. */
export const checkPlace =
  'Check the host and the port, whether the server runs, and whether a VPN or a proxy is needed.'

/**
 * Explains a code.
 *
 * @returns `undefined`: the code has no explanation that says more than itself.
 */
export function whyUnreachable(code: string): Words | undefined {
  if (code === blockedPort) {
    return {
      text: 'That port belongs to another protocol, and fetch refuses it.',
      remedy: 'Correct the port in the URL, or let the server listen at another one.',
    }
  }
  if (code === 'ENOTFOUND') {
    return {
      text: 'There is no address for that name.',
      remedy: 'Check the spelling of the host, and whether a VPN is needed to reach it.',
    }
  }
  if (code === 'CERT_HAS_EXPIRED') {
    return {
      text: 'Its certificate has expired.',
      remedy: "Check this machine's clock; if it is right, the server's operator has to renew it.",
    }
  }
  if (/CERT|^UNABLE_TO_/.test(code)) {
    return { text: 'This machine does not accept its certificate.', remedy: undefined }
  }
  const text = Object.hasOwn(texts, code) ? texts[code] : undefined
  return text === undefined ? undefined : { text, remedy: checkPlace }
}

/** The error of a server that cannot be reached. */
export function unreachable(url: URL, code: string | undefined): CredentialError {
  const label = labelOf(url)
  const problem = `${label} cannot be reached${code === undefined ? '' : ` (${code})`}.`
  return explained(problem, url, code)
}

/** An error that names the code of the system; others stay as they are. */
export function withWords(error: CredentialError, url: URL): CredentialError {
  const [problem, code] = /^.* cannot be reached \(([A-Z][A-Z0-9_]+)\)\./.exec(error.message) ?? []
  return problem === undefined ? error : explained(problem, url, code)
}

function explained(problem: string, url: URL, code: string | undefined): CredentialError {
  const doctor = `npx mcp-credentials doctor ${commandWord(labelOf(url))}`
  const words = whyUnreachable(code ?? '')
  const text = words === undefined ? problem : `${problem} ${words.text}`
  const check = words === undefined ? `${checkPlace} ` : ''
  const remedy = words?.remedy ?? `${check}For a full check, run \`${doctor}\`.`
  return new CredentialError('network', text, { resource: url, retryable: true, remedy })
}

const blockedPort = 'BLOCKED_PORT'

/** The system's code of an error, which `fetch` hides beneath its own. */
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
