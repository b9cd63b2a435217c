/**
 * Texts with variables, as the config files of the known clients have them.
 *
 * @module
 */
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { describedAs, readSecret } from '../secret.ts'
import {
  folder,
  type Reference,
  referenceProblem,
  type Surroundings,
  secretOf,
  unset,
  variable,
} from './surroundings.ts'

/** A piece of a text: as it stands, a folder, or something that is read. */
type Part =
  | string
  | { readonly folder: string }
  | (Reference & { readonly fallback: string | undefined })

/** A text, taken apart. */
export interface Template {
  readonly parts: readonly Part[]
  /** What is wrong with it, in words. */
  readonly problem: string | undefined
}

const pattern = /\$\{([^{}]*)\}/g
// VS Code's `${command:…}` runs a command of the editor, so it is not one of ours.
const named = /^(?:(env|file|keychain|stored|input):)?([\s\S]+?)(?::-([\s\S]*))?$/

/**
 * Takes a text apart: `${VAR}`, `${VAR:-default}`, `${env:VAR}`, `${input:id}`, `${file:path}`,
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
  return { problem: `has a variable that is not known; write \${NAME} or \${env:NAME}` }
}

/** Whether a text reads anything when it is used: a variable, a file, an input, the keychain. */
export function readsAnything({ parts }: Template): boolean {
  return parts.some((part) => typeof part === 'object' && 'source' in part)
}

/** What a text says by itself, without what it reads; defaults of variables are part of it. */
export function literalOf({ parts }: Template): string {
  return parts
    .map((part) => {
      if (typeof part === 'string') return part
      return 'folder' in part ? '' : (part.fallback ?? '')
    })
    .join('')
}

/**
 * Expands a text that is no secret, from environment variables alone.
 *
 * @throws `CredentialError` when a variable is not set, {@link ConfigurationError} when the text reads anything else.
 */
export function expand(text: string, surroundings: Surroundings): string {
  const template = checked(parseTemplate(text))
  return template.parts
    .map((part) => {
      if (typeof part === 'string') return part
      if ('folder' in part) return folder(surroundings, part.folder) ?? ''
      if (part.source !== 'env') {
        const problem = `Only environment variables can stand here: \${NAME}.`
        throw new ConfigurationError('config', problem)
      }
      const value = variable(surroundings, part.name) ?? part.fallback
      if (value === undefined) throw unset(part.name)
      return value
    })
    .join('')
}

/**
 * Makes a secret of a text: what it reads is read each time the secret is needed.
 *
 * @throws {@link ConfigurationError} when a variable of it is not known.
 */
export function secretText(option: string, text: string, surroundings: Surroundings): Secret {
  const template = checked(parseTemplate(text))
  if (!readsAnything(template)) return expand(text, surroundings)
  const references = template.parts.flatMap((part) =>
    typeof part === 'object' && 'source' in part ? [part] : [],
  )
  // The line of a command may hold a secret.
  const names = references.map(({ source, name }) =>
    source === 'command' ? source : `${source}:${name}`,
  )
  return describedAs(names.join(' and '), async ({ signal }) => {
    const reading = template.parts.map(async (part): Promise<string> => {
      if (typeof part === 'string') return part
      if ('folder' in part) return folder(surroundings, part.folder) ?? ''
      const { source, name, fallback } = part
      if (source === 'env' && fallback !== undefined) {
        return variable(surroundings, name) ?? fallback
      }
      const problemOf = (value: string) => (value === '' ? 'is empty' : undefined)
      return readSecret(option, secretOf(part, surroundings), { signal, problemOf })
    })
    return (await Promise.all(reading)).join('')
  })
}

function checked(template: Template): Template {
  if (template.problem === undefined) return template
  throw new ConfigurationError('config', `A text ${template.problem}.`)
}
