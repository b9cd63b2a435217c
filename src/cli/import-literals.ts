/**
 * Literal secrets in config files.
 *
 * @module
 */
import { createHash } from 'node:crypto'
import { readFile, realpath } from 'node:fs/promises'
import {
  findNodeAtLocation,
  findNodeAtOffset,
  getNodePath,
  type JSONPath,
  type Node,
  parseTree,
} from 'jsonc-parser'
import type { StoredKey } from '../auto/index.ts'
import type { Config, ConfigFile, ConfigWarning } from '../config/index.ts'
import { ConfigurationError } from '../index.ts'
import { withHiddenSecrets } from './hidden-secrets.ts'
import type { Finding } from './import-findings.ts'
import { keyOfHeaders, proxyEntry, storeKey } from './import-keys.ts'
import {
  type FoundLiteral,
  isVariable,
  type Literal,
  untrusted,
  variableFinding,
} from './import-variables.ts'
import { commandWord, labelOf, printable } from './labels.ts'
import { rewriteFile, withoutLiterals } from './rewritten-file.ts'

/** A config file that contains secrets. */
export interface LiteralFile {
  readonly path: string
  readonly findings: readonly Finding[]
  /**
   * Removes the secrets that were moved.
   *
   * @param isInPlace - Whether to write the file; otherwise only its text is returned.
   */
  withoutSecrets(isMoved: (finding: Finding) => boolean, isInPlace: boolean): Promise<Cleaned>
}

/** A file after secrets were removed. */
export interface Cleaned {
  /** Its text, with the remaining secrets hidden. */
  readonly text: string
  /** The number of secrets that were removed. */
  readonly removed: number
  /** The number of secrets that remain. */
  readonly left: number
}

/**
 * Finds the secrets that the warnings of the config report.
 *
 * @throws `ConfigurationError` when a file has changed since it was read.
 */
export async function literalFindings(config: Config): Promise<readonly LiteralFile[]> {
  const secrets = config.warnings.filter(({ kind }) => kind === 'secret')
  const files = config.files.filter(({ path }) => secrets.some(({ file }) => file === path))
  return Promise.all(
    files.map(async (file) => {
      const warnings = secrets.filter((each) => each.file === file.path)
      return literalFile(file, await textOf(file), warnings)
    }),
  )
}

/** Reads the file again, and checks that its content is the one that was checked for trust. */
async function textOf({ path, sha256 }: ConfigFile): Promise<string> {
  const [real, bytes] = await Promise.all([realpath(path), readFile(path)])
  if (createHash('sha256').update(`${real}\0`).update(bytes).digest('hex') !== sha256) {
    throw new ConfigurationError('config', `${printable(path)} changed while it was read.`, {
      remedy: 'Run the command again.',
    })
  }
  return new TextDecoder().decode(bytes)
}

async function literalFile(
  file: ConfigFile,
  text: string,
  warnings: readonly ConfigWarning[],
): Promise<LiteralFile> {
  const root = parseTree(text, [], { allowTrailingComma: true })
  if (root === undefined) return { path: file.path, findings: [], withoutSecrets: nothingOf(text) }
  const groups = new Map<string, Literal[]>()
  for (const literal of warnings.flatMap((warning) => literalAt(root, text, warning) ?? [])) {
    const { path } = literal
    // The headers of a server form one key; each environment variable is a separate secret.
    const place = JSON.stringify(isVariable(path) ? path : path.slice(0, -1))
    groups.set(place, [...(groups.get(place) ?? []), literal])
  }
  const found = await Promise.all(
    [...groups.values()].map(async (group): Promise<FoundLiteral> => {
      const [first] = group
      if (first !== undefined && isVariable(first.path)) return variableFinding(file, first, root)
      return { finding: findingOf(file, group, root), removals: () => group }
    }),
  )
  return {
    path: file.path,
    findings: found.map(({ finding }) => finding),
    async withoutSecrets(isMoved, isInPlace) {
      const moved = found
        .filter(({ finding }) => isMoved(finding))
        .flatMap(({ removals }) => removals())
      const isWritten = isInPlace && moved.length > 0
      const kept = isWritten ? await rewriteFile(file.path, moved) : withoutLiterals(text, moved)
      return { ...cleaned(kept), removed: moved.length }
    },
  }
}

function nothingOf(text: string): LiteralFile['withoutSecrets'] {
  return async () => ({ ...cleaned(text), removed: 0 })
}

function cleaned(kept: string): Omit<Cleaned, 'removed'> {
  const { text, hidden } = withHiddenSecrets(kept)
  return { text, left: hidden }
}

function literalAt(root: Node, text: string, { line, column }: ConfigWarning): Literal | undefined {
  const starts = text.split('\n').slice(0, line - 1)
  const offset = starts.reduce((sum, each) => sum + each.length + 1, 0) + column - 1
  const node = findNodeAtOffset(root, offset)
  if (node?.type !== 'string') return undefined
  return { path: getNodePath(node), value: String(node.value), line }
}

function findingOf(file: ConfigFile, group: readonly Literal[], root: Node): Finding {
  const [first] = group
  const place = first?.path ?? []
  const isHeader =
    place.at(-2) === 'headers' && /^(?:mcpServers|servers)$/.test(String(place.at(-4)))
  const names = group.map(({ path }) => String(path.at(-1)))
  const key = isHeader ? keyOf(group) : undefined
  // A file can have several entries with one name; the key belongs to the URL of the same entry.
  const url = isHeader ? urlIn(root, place.slice(0, -2)) : undefined
  const server = url?.href ?? String(place.at(-3) ?? '')
  return {
    server,
    source: `${printable(file.path)}:${first?.line ?? 1}`,
    kind: `${isHeader ? 'header' : 'value'} ${printable(names.join(', '))}`,
    problem: problemOf(file, key, url),
    async copyTo(store, account) {
      if (key === undefined || url === undefined || !file.isTrusted) return undefined
      return storeKey(store, url, key, account)
    },
    ...(file.isTrusted ? {} : { untrustedFile: file.path }),
    ...(url === undefined ? {} : { advice: (account) => adviceFor(file.path, url, account) }),
  }
}

/** What to write into a file whose headers were removed. */
function adviceFor(path: string, url: URL, { account }: { readonly account?: string }): string {
  const server = commandWord(labelOf(url))
  const more = account === undefined ? [] : ['--account', account]
  const helper = ['npx -y mcp-credentials headers', server, ...more.map(commandWord)].join(' ')
  const entry = proxyEntry(labelOf(url), more)
  return `Without the headers, ${labelOf(url)} refuses clients that read ${printable(path)}. For Claude Code, add this to the entry: "headersHelper": ${JSON.stringify(helper)}. For other clients, replace the entry with ${entry}`
}

function problemOf(
  file: ConfigFile,
  key: StoredKey | undefined,
  url: URL | undefined,
): string | undefined {
  if (key === undefined) {
    return `replace it yourself: write \${NAME} in the file, and set that variable`
  }
  // The author of the file could otherwise choose the identity of this user at any server.
  if (!file.isTrusted) return untrusted(file)
  return url === undefined ? 'its URL contains variables, so replace it yourself' : undefined
}

/** The URL of an entry, if it is a literal. */
function urlIn(root: Node, place: JSONPath): URL | undefined {
  const node =
    findNodeAtLocation(root, [...place, 'url']) ?? findNodeAtLocation(root, [...place, 'serverUrl'])
  const text: unknown = node?.value
  if (typeof text !== 'string' || text.includes(`\${`) || !URL.canParse(text)) return undefined
  const url = new URL(text)
  return /^https?:$/.test(url.protocol) && url.username === '' && url.password === ''
    ? url
    : undefined
}

function keyOf(group: readonly Literal[]): StoredKey | undefined {
  return keyOfHeaders(group.map(({ path, value }) => [String(path.at(-1)), value]))
}
