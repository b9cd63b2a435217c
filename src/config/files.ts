/**
 * Reads the servers of config files, and reports their problems.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import { ConfigurationError } from '../errors.ts'
import { printable } from '../labels.ts'
import {
  decode,
  type FileContent,
  fingerprint,
  parseText,
  positionsOf,
  readContent,
} from './document.ts'
import { readEntry, type ServerEntry, type WarningKind } from './entry.ts'
import type { Place } from './locations.ts'
import { nearest } from './nearest.ts'
import { type Member, membersOf, textOf } from './nodes.ts'
import { type Position, type Problem, problemsError, quoted, shown } from './problems.ts'

/**
 * The kind of a {@link ConfigWarning}: a literal secret in a value (`secret`) or in a URL (`secret_in_url`), a member
 * that is ignored (`ignored`), or a file or entry that cannot be used (`invalid`).
 */
export type ConfigWarningKind = 'secret' | 'secret_in_url' | 'ignored' | 'invalid'

/** A warning about a config file, for the user. */
export interface ConfigWarning {
  /** What the warning is about. */
  readonly kind: ConfigWarningKind
  /** The file. */
  readonly file: string
  /** The line, from 1. */
  readonly line: number
  /** The column in that line, from 1, in UTF-16 code units. */
  readonly column: number
  /** The warning; it quotes no value of the file. */
  readonly message: string
  /** What to do about it, such as a command to run. */
  readonly remedy: string
}

/** An input of VS Code. */
export interface Input {
  readonly description: string | undefined
  readonly password: boolean
}

/** A file that was read. */
export interface ReadFile {
  readonly place: Place
  readonly content: FileContent
  readonly sha256: string
  /** The parsed text of the same bytes that were hashed. */
  readonly root: Node | undefined
  readonly entries: readonly ServerEntry[]
  readonly inputs: ReadonlyMap<string, Input>
  readonly warnings: readonly ConfigWarning[]
  positionOf(offset: number): Position
}

const megabyte = 1_048_576
/** The most warnings of one file. */
const mostWarnings = 90

/**
 * Reads the file at a place; `undefined`: it does not exist.
 *
 * User files of other clients may contain unknown members, so problems in them are warnings, and the
 * entries are ignored.
 *
 * @throws {@link ConfigurationError} for problems in a chosen file, in a project file, and in this
 *   library's own file.
 */
export async function readFile(
  place: Place,
  environment: string | undefined,
): Promise<ReadFile | { readonly warning: ConfigWarning } | undefined> {
  const isLenient = place.kind === 'user' && place.client !== 'mcp-credentials'
  // Claude Code keeps its history in the same file.
  const content = await readContent(place.path, (isLenient ? 32 : 1) * megabyte)
  if (content === undefined) {
    if (place.kind !== 'chosen') return undefined
    throw new ConfigurationError('path', `There is no config file ${place.path}.`)
  }
  if ('problem' in content) return unreadable(place, content.problem)
  const text = decode(content.bytes)
  if (text === undefined) return unreadable(place, 'is not encoded as UTF-8')
  const problems: Problem[] = []
  const warnings: ConfigWarning[] = []
  const positionOf = positionsOf(text)
  const at = (offset: number) => ({ file: place.path, ...positionOf(offset) })
  const report = (offset: number, message: string) => void problems.push({ ...at(offset), message })
  const warn = (offset: number, message: string, kind: WarningKind) => {
    if (warnings.length === mostWarnings) return
    warnings.push({ kind, ...at(offset), message, remedy: remedyOf(kind, place.path) })
  }
  const isRelevant = !isLenient || /"(?:mcpServers|servers)"/.test(text)
  const root = isRelevant && text.trim() !== '' ? parseText(text, report) : undefined
  // Entries of invalid JSON are not read.
  const isBroken = problems.length > 0
  const scope = isBroken ? undefined : serversIn(root, place, report)
  const entries = [...(scope ?? [])].flatMap(([name, member]) => {
    const before = problems.length
    const entry = readEntry(name, member, { report, warn, environment })
    return entry === undefined || problems.length > before ? [] : [entry]
  })
  const inputs = root === undefined || isBroken ? new Map() : inputsOf(root)
  if (problems.length > 0 && !isLenient) throw problemsError(problems)
  const remedy = `Correct ${printable(place.path)}; until then, this part of it is ignored.`
  const leftOut = problems.map((problem) => ({ kind: 'invalid' as const, ...problem, remedy }))
  return {
    place,
    content,
    sha256: fingerprint(content),
    root,
    entries,
    inputs,
    warnings: [...warnings, ...leftOut.slice(0, 10)],
    positionOf,
  }
}

function remedyOf(kind: WarningKind, path: string): string {
  if (kind === 'ignored') return 'Remove it.'
  return `Run \`npx mcp-credentials import --config ${quoted(path)}\` to move it.`
}

function unreadable(place: Place, problem: string): { readonly warning: ConfigWarning } {
  const message = `The config file ${place.path} ${problem}.`
  if (place.kind !== 'user') throw new ConfigurationError('config', message)
  const remedy = 'Correct it; until then, it is ignored.'
  return { warning: { kind: 'invalid', file: place.path, line: 1, column: 1, message, remedy } }
}

/** The members of `mcpServers`, and of VS Code's `servers`. */
function serversIn(
  root: Node | undefined,
  place: Place,
  report: (offset: number, message: string) => void,
): ReadonlyMap<string, Member> | undefined {
  let node = root
  for (const name of place.within ?? []) {
    if (node?.type !== 'object') return undefined
    node = membersOf(node, '', () => {})?.get(name)?.value
  }
  const isMissing = place.within === undefined && place.kind === 'chosen'
  if (node === undefined) {
    if (isMissing) report(0, 'Expected an object with `mcpServers`.')
    return undefined
  }
  const members = membersOf(node, 'an object with `mcpServers`', report)
  if (members === undefined) return undefined
  // Of two entries with one name, the first is used.
  const found = new Map<string, Member>()
  for (const name of ['mcpServers', 'servers']) {
    const servers = members.get(name)?.value
    if (servers === undefined) continue
    for (const [server, member] of membersOf(servers, `\`${name}\`: an object`, report) ?? []) {
      if (!found.has(server)) found.set(server, member)
    }
  }
  if (!members.has('mcpServers') && !members.has('servers') && isMissing) {
    const near = [...members].find(([name]) => nearest(name, ['mcpServers', 'servers']))
    const hint = near === undefined ? '' : `, and found \`${shown(near[0])}\``
    report(near?.[1].key.offset ?? node.offset, `Expected \`mcpServers\` or \`servers\`${hint}.`)
  }
  return found
}

function inputsOf(root: Node): ReadonlyMap<string, Input> {
  const list = membersOf(root, '', () => {})?.get('inputs')?.value.children ?? []
  const inputs = new Map<string, Input>()
  for (const each of list) {
    const members = membersOf(each, '', () => {})
    const id = textOf(members?.get('id')?.value)
    if (id === undefined) continue
    const description = textOf(members?.get('description')?.value)
    inputs.set(id, {
      description: description === undefined ? undefined : shown(description),
      password: members?.get('password')?.value.value === true,
    })
  }
  return inputs
}
