/**
 * Secrets that stand in config files as they are.
 *
 * @module
 */
import { readFile, rename, stat, writeFile } from 'node:fs/promises'
import {
  applyEdits,
  findNodeAtOffset,
  getNodePath,
  type JSONPath,
  modify,
  type Node,
  parseTree,
} from 'jsonc-parser'
import type { StoredKey } from '../auto/index.ts'
import type { Config, ConfigWarning } from '../config/index.ts'
import type { Finding } from './import-findings.ts'

/** A config file with secrets in it. */
export interface LiteralFile {
  readonly path: string
  readonly findings: readonly Finding[]
  /**
   * The text of the file without secrets: those that were moved are taken out, and the others are hidden.
   *
   * @param isInPlace - Writes the file without those that were moved.
   */
  withoutSecrets(isMoved: (finding: Finding) => boolean, isInPlace: boolean): Promise<string>
}

/** A secret in a file. */
interface Literal {
  readonly path: JSONPath
  readonly value: string
  readonly line: number
}

/** Finds them, as the warnings of the config say. */
export async function literalFindings(config: Config): Promise<readonly LiteralFile[]> {
  const secrets = config.warnings.filter(({ message }) =>
    /stands in the file as it is/.test(message),
  )
  const paths = [...new Set(secrets.map(({ file }) => file))]
  return Promise.all(
    paths.map(async (path) => {
      const warnings = secrets.filter(({ file }) => file === path)
      return literalFile(path, await readFile(path, 'utf8'), warnings, config)
    }),
  )
}

function literalFile(
  path: string,
  text: string,
  warnings: readonly ConfigWarning[],
  config: Config,
): LiteralFile {
  const root = parseTree(text, [], { allowTrailingComma: true })
  const literals = warnings.flatMap((warning) => literalAt(root, text, warning) ?? [])
  const groups = new Map<string, Literal[]>()
  for (const literal of literals) {
    const place = JSON.stringify(literal.path.slice(0, -1))
    groups.set(place, [...(groups.get(place) ?? []), literal])
  }
  const found = [...groups.values()].map((group) => ({
    group,
    finding: findingOf(path, group, config),
  }))
  return {
    path,
    findings: found.map(({ finding }) => finding),
    async withoutSecrets(isMoved, isInPlace) {
      const moved = found.filter(({ finding }) => isMoved(finding)).flatMap(({ group }) => group)
      const kept = moved.reduce((before, literal) => removed(before, literal.path), text)
      if (isInPlace && moved.length > 0) await replaceText(path, kept)
      const others = literals.filter((literal) => !moved.includes(literal))
      return others.reduce((before, literal) => hidden(before, literal.path), kept)
    },
  }
}

function literalAt(
  root: Node | undefined,
  text: string,
  { line, column }: ConfigWarning,
): Literal | undefined {
  const starts = text.split('\n').slice(0, line - 1)
  const offset = starts.reduce((sum, each) => sum + each.length + 1, 0) + column - 1
  const node = root === undefined ? undefined : findNodeAtOffset(root, offset)
  if (node?.type !== 'string') return undefined
  return { path: getNodePath(node), value: String(node.value), line }
}

function findingOf(file: string, group: readonly Literal[], config: Config): Finding {
  const [first] = group
  const place = first?.path ?? []
  const name = String(place.at(-3) ?? '')
  const isHeader = place.at(-2) === 'headers' && place.length === 4
  const entry = config.servers.find((each) => each.name === name && each.file === file)
  const names = group.map(({ path }) => String(path.at(-1)))
  const key = isHeader ? keyOf(group) : undefined
  const problem =
    key === undefined
      ? `move it by hand: write \${NAME} in the file, and set that variable`
      : entry?.url === undefined
        ? 'its server has no URL that can be used'
        : undefined
  const server = entry?.url?.href ?? name
  return {
    server,
    source: `${file}:${first?.line ?? 1}`,
    kind: `${isHeader ? 'header' : 'value'} ${names.join(', ')}`,
    problem,
    async copyTo(store, account) {
      if (key === undefined) return false
      const { listSaved, saveKey } = await import('../auto/index.ts')
      const { origin, pathname } = new URL(server)
      const place = `${origin}${pathname} | ${account.account ?? 'default'}`
      const before = await listSaved({ ...store, list: async () => [place] })
      if (before.length > 0) return false
      await saveKey(store, { resource: server, key, ...account })
      return true
    },
  }
}

/** The key of literal headers; `undefined`: a part of them is read from elsewhere. */
function keyOf(group: readonly Literal[]): StoredKey | undefined {
  if (group.some(({ value }) => value.includes(`\${`))) return undefined
  const headers = Object.fromEntries(group.map(({ path, value }) => [String(path.at(-1)), value]))
  const [only, ...more] = Object.entries(headers)
  if (only === undefined || more.length > 0) return { type: 'headers', headers }
  const [header, value] = only
  if (header.toLowerCase() !== 'authorization') return { type: 'apiKey', header, value }
  const token = /^Bearer +(\S+)$/i.exec(value)?.[1]
  return token === undefined ? { type: 'headers', headers } : { type: 'bearer', token }
}

/** Takes a member out, and the object that it leaves empty. */
function removed(text: string, path: JSONPath): string {
  const formattingOptions = { insertSpaces: true, tabSize: 2 }
  const without = applyEdits(text, modify(text, path, undefined, { formattingOptions }))
  const parent = path.slice(0, -1)
  const root = parseTree(without, [], { allowTrailingComma: true })
  const left = root === undefined ? undefined : nodeAt(root, parent)
  if (left?.type !== 'object' || (left.children ?? []).length > 0) return without
  return applyEdits(without, modify(without, parent, undefined, { formattingOptions }))
}

function hidden(text: string, path: JSONPath): string {
  return applyEdits(text, modify(text, path, '<hidden>', {}))
}

function nodeAt(root: Node, path: JSONPath): Node | undefined {
  let node: Node | undefined = root
  for (const segment of path) {
    node = node?.children?.find(({ children }) => children?.[0]?.value === segment)?.children?.[1]
  }
  return node
}

/** Replaces the file whole or not at all, with the rights that it has. */
async function replaceText(path: string, text: string): Promise<void> {
  const { mode } = await stat(path)
  const temporary = `${path}.${process.pid}.tmp`
  await writeFile(temporary, text, { mode: mode & 0o777, flag: 'wx' })
  await rename(temporary, path)
}
