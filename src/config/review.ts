/**
 * What a config file does once it is trusted, in words. Nothing that decides it is left out or cut: a person agrees
 * to what stands here.
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

/** What one entry of a config file does. */
export interface ReviewedServer {
  /** Its name in the file; several entries can have the same. */
  readonly name: string
  /** Where the entry begins, from 1. */
  readonly line: number
  /**
   * What it runs, where it connects to, what it reads and sets, in all its environments and tenants. Each is one line
   * without characters that act on a terminal. Secrets that stand in the file are hidden, except where the value may
   * decide what runs.
   */
  readonly uses: readonly string[]
}

/** Reads all entries of a file, whichever of them would count, and for whichever folder. */
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
      return [...(servers ?? [])].map(([name, { key, value }]) => ({
        name,
        line: positionOf(key.offset).line,
        uses: [...new Set(usesOfEntry(value))].map((use) => printable(use, '\ufffd')),
      }))
    }),
  )
}

function quietMembers(node: Node | undefined): ReadonlyMap<string, Member> | undefined {
  return node === undefined ? undefined : membersOf(node, '', () => {})
}

function usesOfEntry(entry: Node): readonly string[] {
  const members = quietMembers(entry)
  const command = textOf(members?.get('command')?.value)
  const own = new Set(['args', ...(command === undefined ? [] : ['command'])])
  const args = textsIn(members?.get('args')?.value)
  const runs =
    command === undefined ? [] : [`runs \`${commandLine(maskedCommand([command, ...args]))}\``]
  const others = [...(members ?? [])].filter(([name]) => !own.has(name))
  return [
    ...runs,
    ...[command ?? '', ...args].flatMap((text) => referencesIn(text)),
    ...others.flatMap(([name, { value }]) => usesOf(value, [name])),
  ]
}

function usesOf(node: Node, path: readonly string[]): readonly string[] {
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

function runsForSecrets(command: string | readonly string[]): string {
  const words = typeof command === 'string' ? splitCommand(command) : command
  const line = 'problem' in words ? String(command).trim() : commandLine(maskedCommand(words))
  return `runs \`${line}\` for its secrets`
}

/** Variables that decide what a process runs: a value of theirs is shown even where it looks like a secret. */
const deciding =
  /^(?:PATHEXT|COMSPEC|HOME|SHELL|IFS|.*PATH|.*ENV|.*HOOKS?|.*CONF(?:IG)?|.*SOCK|LD_.*|DYLD_.*|NODE_.*|NPM_.*|PYTHON.*|PERL.*|RUBY.*|GIT_.*|SSH_.*|DOTNET_.*|CORECLR_.*|COR_.*|_?JAVA_.*|JDK_.*|OPENSSL_.*|.*OPT(?:ION)?S?|.*COMMAND)$/i

function usesOfText(text: string, path: readonly string[]): readonly string[] {
  const command = /^command:(.+)$/s.exec(text)?.[1]
  if (command !== undefined) return [runsForSecrets(command)]
  const where = path.join('.')
  const reads = referencesIn(text).map((use) => `${use} (${where})`)
  const target = targetOf(text)
  if (target !== undefined) return [`connects to ${target}${place(where)}`, ...reads]
  const name = path.at(-1) ?? ''
  const isSecret = isHidden(text, path)
  const value = isSecret ? 'a secret that stands in the file' : text
  if (path.at(-2) === 'env') {
    const shown = deciding.test(name) ? value : maskedText(value)
    return [`sets ${name} to ${shown}`, ...reads]
  }
  if (reads.length > 0 && !isSecret) return reads
  return [`has ${where}: ${value}`, ...reads]
}

/**
 * Whether a value is hidden: only where it cannot decide what runs. `cwd` and the options of `auth` are shown, but for
 * the secret of Cursor's own `auth`.
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

/** Where a text leads, as the parser of URLs understands it, and not as it looks; a query may hold a secret. */
function targetOf(text: string): string | undefined {
  const isUrl = /^\s*[a-z][a-z\d+.-]*:\/\//i.test(text) || /^\s*https?:/i.test(text)
  if (!isUrl) return undefined
  if (text.includes('${') || !URL.canParse(text)) return text
  const { protocol, host, pathname, search } = new URL(text)
  return `${protocol}//${host}${shortenPath(pathname)}${search === '' ? '' : '?…'}`
}

function referencesIn(text: string): readonly string[] {
  const whole = /^(?:env|file|keychain|stored|input):.+$/s.exec(text)?.[0]
  const parts = [...text.matchAll(/\$\{([^{}]+)\}/g)].map(
    ([, name = '']) => name.split(':-')[0] ?? '',
  )
  return [...(whole === undefined ? [] : [whole]), ...parts]
    .filter((name) => name !== 'workspaceFolder' && name !== 'userHome')
    .map((name) => `reads ${/^[a-z]+:/.test(name) ? name : `env:${name}`}`)
}

function textsIn(node: Node | undefined): readonly string[] {
  const items = node?.type === 'array' ? (node.children ?? []) : node === undefined ? [] : [node]
  return items.map((each) => String(each.value))
}

/** Arguments in the form in which a shell would take them, so that it shows where each ends. */
function commandLine(argv: readonly string[]): string {
  return argv
    .map((each) =>
      /^[\w@%+=:,./~${}-]+$/.test(each) ? each : `'${each.replaceAll("'", "'\\''")}'`,
    )
    .join(' ')
}
