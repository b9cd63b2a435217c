/**
 * Describes what a config file does once it is trusted. Nothing relevant is left out or shortened, because
 * the user decides by this description.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import { printable, shortenPath } from '../labels.ts'
import { splitCommand } from './command-line.ts'
import { isLiteralSecret, isSecretName } from './literal-secrets.ts'
import { maskedCommand, maskedText } from './masked.ts'
import { type Member, membersOf, textOf } from './nodes.ts'
import type { Position } from './problems.ts'
import { literalOf, parseTemplate } from './template.ts'

/** The effects of one entry of a config file. */
export interface ReviewedServer {
  /** Its name in the file; several entries can have the same name. */
  readonly name: string
  /** The line on which the entry starts, from 1. */
  readonly line: number
  /**
   * What it runs, connects to, reads and sets, in all its environments and tenants. Each item is one line
   * without terminal control characters. Literal secrets are hidden, unless the value may determine what
   * runs.
   */
  readonly uses: readonly string[]
  /** Whether it runs programs. */
  readonly runsPrograms: boolean
  /** The names of the stored secrets that it reads. */
  readonly storedSecrets: readonly string[]
}

/** One effect of an entry. */
interface Use {
  readonly text: string
  readonly isRun?: true
  /** The reference that it reads, such as `stored:github-token`. */
  readonly reference?: string
}

/** Describes all entries of a file, including those that others hide, for all folders. */
export function reviewFile(
  root: Node | undefined,
  positionOf: (offset: number) => Position,
): readonly ReviewedServer[] {
  const members = root === undefined ? undefined : quietMembers(root)
  const folders = quietMembers(members?.get('projects')?.value)
  const scopes = [
    members,
    ...[...(folders?.values() ?? [])].map(({ value }) => quietMembers(value)),
  ]
  return scopes.flatMap((scope) =>
    ['mcpServers', 'servers'].flatMap((place) => {
      const servers = quietMembers(scope?.get(place)?.value)
      return [...(servers ?? [])].map(([name, { key, value }]) => {
        const uses = usesOfEntry(value)
        return {
          name,
          line: positionOf(key.offset).line,
          uses: [...new Set(uses.map(({ text }) => text))].map((text) => printable(text, '\ufffd')),
          runsPrograms: uses.some(({ isRun }) => isRun === true),
          storedSecrets: [...new Set(uses.flatMap(storedSecretOf))],
        }
      })
    }),
  )
}

function storedSecretOf({ reference }: Use): readonly string[] {
  const [, name] = /^stored:(.+)$/s.exec(reference ?? '') ?? []
  return name === undefined ? [] : [name]
}

function quietMembers(node: Node | undefined): ReadonlyMap<string, Member> | undefined {
  return node === undefined ? undefined : membersOf(node, '', () => {})
}

function usesOfEntry(entry: Node): readonly Use[] {
  const members = quietMembers(entry)
  const command = textOf(members?.get('command')?.value)
  const own = new Set(['args', ...(command === undefined ? [] : ['command'])])
  const args = textsIn(members?.get('args')?.value)
  const line = commandLine(maskedCommand([command ?? '', ...args]))
  const runs: readonly Use[] =
    command === undefined ? [] : [{ text: `runs \`${line}\``, isRun: true }]
  const others = [...(members ?? [])].filter(([name]) => !own.has(name))
  return [
    ...runs,
    ...[command ?? '', ...args].flatMap((text) => referencesIn(text)),
    ...others.flatMap(([name, { value }]) => usesOf(value, [name])),
  ]
}

function usesOf(node: Node, path: readonly string[]): readonly Use[] {
  const name = path.at(-1) ?? ''
  const isCommand = name === 'headersHelper' || name === 'command'
  if (isCommand && (node.type === 'array' || node.type === 'string')) {
    const text = textOf(node)
    return [runsForSecrets(text === undefined ? textsIn(node) : text)]
  }
  if (node.type === 'object') {
    return [...(quietMembers(node) ?? [])].flatMap(([each, { value }]) =>
      usesOf(value, [...path, each]),
    )
  }
  if (node.type === 'array') {
    return (node.children ?? []).flatMap((each, index) => usesOf(each, [...path, `${index + 1}`]))
  }
  return usesOfText(String(node.value), path)
}

function runsForSecrets(command: string | readonly string[]): Use {
  const words = typeof command === 'string' ? splitCommand(command) : command
  const line = 'problem' in words ? String(command).trim() : commandLine(maskedCommand(words))
  return { text: `runs \`${line}\` for its secrets`, isRun: true }
}

/** Variables that determine what a process runs: their values are shown even if they look like secrets. */
const deciding =
  /^(?:PATHEXT|COMSPEC|HOME|SHELL|IFS|.*PATH|.*ENV|.*HOOKS?|.*CONF(?:IG)?|.*SOCK|LD_.*|DYLD_.*|NODE_.*|NPM_.*|PYTHON.*|PERL.*|RUBY.*|GIT_.*|SSH_.*|DOTNET_.*|CORECLR_.*|COR_.*|_?JAVA_.*|JDK_.*|OPENSSL_.*|.*OPT(?:ION)?S?|.*COMMAND)$/i

function usesOfText(text: string, path: readonly string[]): readonly Use[] {
  const command = /^command:(.+)$/s.exec(text)?.[1]
  if (command !== undefined) return [runsForSecrets(command)]
  const where = path.join('.')
  const reads = referencesIn(text).map((use) => ({ ...use, text: `${use.text} (${where})` }))
  const target = targetOf(text)
  if (target !== undefined) return [{ text: `connects to ${target}${place(where)}` }, ...reads]
  const name = path.at(-1) ?? ''
  const isSecret = isHidden(text, path)
  const value = isSecret ? 'a literal secret' : text
  if (path.at(-2) === 'env') {
    const shown = deciding.test(name) ? value : maskedText(value)
    return [{ text: `sets ${name} to ${shown}` }, ...reads]
  }
  if (reads.length > 0 && !isSecret) return reads
  return [{ text: `has ${where}: ${value}` }, ...reads]
}

/**
 * Whether a value is hidden: only if it cannot determine what runs. `cwd` and the options of `auth` are
 * shown, except for the secret of Cursor's form of `auth`.
 */
function isHidden(text: string, path: readonly string[]): boolean {
  const [name = '', parent = ''] = path.toReversed()
  const literal = literalOf(parseTemplate(text))
  if (parent === 'headers') return isLiteralSecret(name, literal)
  const isForeign = path.length === 1 && name !== 'cwd'
  const isVariable = parent === 'env' && !deciding.test(name)
  if (!isForeign && !isVariable && name !== 'CLIENT_SECRET') return false
  return isSecretName(name) && isLiteralSecret(name, literal)
}

function place(where: string): string {
  return where === 'url' || where === 'serverUrl' ? '' : ` (${where})`
}

/** The target of a URL, as the URL parser reads it. The query is hidden, because it may contain a secret. */
function targetOf(text: string): string | undefined {
  const isUrl = /^\s*[a-z][a-z\d+.-]*:\/\//i.test(text) || /^\s*https?:/i.test(text)
  if (!isUrl) return undefined
  if (text.includes('${') || !URL.canParse(text)) return text
  const { protocol, host, pathname, search } = new URL(text)
  return `${protocol}//${host}${shortenPath(pathname)}${search === '' ? '' : '?…'}`
}

function referencesIn(text: string): readonly Use[] {
  const whole = /^(?:env|file|keychain|stored|input):.+$/s.exec(text)?.[0]
  const parts = [...text.matchAll(/\$\{([^{}]+)\}/g)].map(
    ([, name = '']) => name.split(':-')[0] ?? '',
  )
  return [...(whole === undefined ? [] : [whole]), ...parts]
    .filter((name) => name !== 'workspaceFolder' && name !== 'userHome')
    .map((name) => (/^[a-z]+:/.test(name) ? name : `env:${name}`))
    .map((reference) => ({ text: `reads ${reference}`, reference }))
}

function textsIn(node: Node | undefined): readonly string[] {
  const items = node?.type === 'array' ? (node.children ?? []) : node === undefined ? [] : [node]
  return items.map((each) => String(each.value))
}

/** Arguments quoted as for a shell, so that their ends are visible. */
function commandLine(argv: readonly string[]): string {
  return argv
    .map((each) =>
      /^[\w@%+=:,./~${}-]+$/.test(each) ? each : `'${each.replaceAll("'", "'\\''")}'`,
    )
    .join(' ')
}
