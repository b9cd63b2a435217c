/**
 * Headers from the output of a command: `headersHelper` of Claude Code.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { CredentialError } from '../errors.ts'
import { checkHeaderName } from '../providers/checks.ts'
import { command, headerValueProblem, readSecret } from '../secret.ts'

const name = 'headersHelper'
/** The time limit of the command in seconds, as in Claude Code. */
const timeout = 10

/** Whether a helper is this library's own command, which would read the same entry again without end. */
export function isOwnCommand(argv: readonly string[]): boolean {
  const at = argv.findIndex((word) => /(?:^|[\\/])mcp-credentials(?:@[\w.^~-]+|\.cmd)?$/.test(word))
  return at >= 0 && at <= 3 && argv.slice(at).includes('headers')
}

/** Sends the headers that a command prints as a JSON object; it is run again after a 401. */
export function headersHelper(argv: readonly string[]): CredentialProvider {
  const source = command(argv, { timeout })
  return {
    name,
    async acquire({ signal }) {
      const problemOf = () => undefined
      const headers = parse(await readSecret(name, source, { signal, problemOf }))
      return {
        apply(request) {
          for (const [header, value] of headers) request.headers.set(header, value)
        },
      }
    },
  }
}

function parse(output: string): readonly (readonly [string, string])[] {
  let value: unknown
  try {
    value = JSON.parse(output)
  } catch {
    // The error of JSON.parse quotes the text.
    throw unusable('text that is not JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unusable('JSON that is not an object')
  }
  const entries = Object.entries(value as Readonly<Record<string, unknown>>)
  if (entries.length === 0) throw unusable('no headers')
  return entries.map(([header, text]) => {
    checkHeaderName(name, header)
    if (typeof text === 'string' && headerValueProblem(text) === undefined) return [header, text]
    throw unusable('a header that cannot be sent')
  })
}

function unusable(what: string): CredentialError {
  return new CredentialError('invalid_response', `${name}: the command printed ${what}.`, {
    provider: name,
    remedy: 'Change it to print a JSON object of header names and values.',
  })
}
