/**
 * Texts with variables, in the syntax of the known clients.
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { describedAs, readSecret } from '../secret.ts'
import {
  type FileContext,
  folder,
  type Reference,
  referenceProblem,
  secretOf,
  unsetVariableError,
  variable,
} from './file-context.ts'

/** A part of a text: a literal, a folder, or a reference. */
type Part =
  | string
  | { readonly folder: string }
  | (Reference & { readonly fallback: string | undefined })

/** A parsed text. */
export interface Template {
  readonly parts: readonly Part[]
  /** Its problem; `undefined`: none. */
  readonly problem: string | undefined
}

const pattern = /\$\{([^{}]*)\}/g
// VS Code's `${command:…}` runs a command of the editor, so it is not supported.
const named = /^(?:(env|file|keychain|stored|input):)?([\s\S]+?)(?::-([\s\S]*))?$/

/**
 * Parses a text: `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${input:id}`, `${file:path}`,
 * `${keychain:service/account}`, `${stored:name}`, `${workspaceFolder}` and `${userHome}`.
 */
export function parseTemplate(text: string): Template {
  const parts: Part[] = []
  let problem: string | undefined
  let end = 0
  for (const match of text.matchAll(pattern)) {
    if (match.index > end) parts.push(text.slice(end, match.index))
    end = match.index + match[0].length
    const part = partOf(match[1] ?? '')
    if ('problem' in part) problem ??= part.problem
    else parts.push(part)
  }
  if (end < text.length) parts.push(text.slice(end))
  return { parts, problem }
}

function partOf(inner: string): Exclude<Part, string> | { readonly problem: string } {
  if (inner === 'workspaceFolder' || inner === 'userHome') return { folder: inner }
  const [, source = 'env', name = '', fallback] = named.exec(inner) ?? []
  const reference = { source: source as Reference['source'], name }
  const problem = referenceProblem(reference)
  if (problem === undefined) return { ...reference, fallback }
  return { problem: `contains an unknown variable; use \${NAME} or \${env:NAME}` }
}

/** Whether a text contains references, such as a variable, a file, an input or a keychain entry. */
export function readsAnything({ parts }: Template): boolean {
  return parts.some((part) => typeof part === 'object' && 'source' in part)
}

/** The literal parts of a text, including the defaults of variables. */
export function literalOf({ parts }: Template): string {
  return parts
    .map((part) => {
      if (typeof part === 'string') return part
      return 'folder' in part ? '' : (part.fallback ?? '')
    })
    .join('')
}

/**
 * Expands a text that is not a secret, with environment variables only.
 *
 * @throws `CredentialError` when a variable is not set, {@link ConfigurationError} when the text contains
 *   other references.
 */
export function expand(text: string, fileContext: FileContext): string {
  const template = checked(parseTemplate(text))
  return template.parts
    .map((part) => {
      if (typeof part === 'string') return part
      if ('folder' in part) return folder(fileContext, part.folder) ?? ''
      if (part.source !== 'env') {
        const problem = `Only environment variables are allowed here: \${NAME}.`
        throw new ConfigurationError('config', problem)
      }
      const value = variable(fileContext, part.name) ?? part.fallback
      if (value === undefined) throw unsetVariableError(part.name)
      return value
    })
    .join('')
}

/**
 * Creates a secret from a text. Its references are read each time the secret is needed.
 *
 * @throws {@link ConfigurationError} when it contains an unknown variable.
 */
export function secretText(option: string, text: string, fileContext: FileContext): Secret {
  const template = checked(parseTemplate(text))
  if (!readsAnything(template)) return expand(text, fileContext)
  const references = template.parts.flatMap((part) =>
    typeof part === 'object' && 'source' in part ? [part] : [],
  )
  // A command line may contain a secret.
  const names = references.map(({ source, name }) =>
    source === 'command' ? source : `${source}:${name}`,
  )
  return describedAs(names.join(' and '), async ({ signal }) => {
    const reading = template.parts.map(async (part): Promise<string> => {
      if (typeof part === 'string') return part
      if ('folder' in part) return folder(fileContext, part.folder) ?? ''
      const { source, name, fallback } = part
      if (source === 'env' && fallback !== undefined) {
        return variable(fileContext, name) ?? fallback
      }
      const problemOf = (value: string) => (value === '' ? 'is empty' : undefined)
      return readSecret(option, secretOf(part, fileContext), { signal, problemOf })
    })
    return (await Promise.all(reading)).join('')
  })
}

function checked(template: Template): Template {
  if (template.problem === undefined) return template
  throw new ConfigurationError('config', `A text ${template.problem}.`)
}
