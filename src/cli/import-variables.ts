/**
 * Literal secrets in the `env` of stdio servers.
 *
 * @module
 */
import { findNodeAtLocation, type JSONPath, type Node } from 'jsonc-parser'
import type { DefaultStore } from '../auto/index.ts'
import type { ConfigFile } from '../config/index.ts'
import { isCredentialError } from '../index.ts'
import { withHiddenArguments } from './hidden-secrets.ts'
import type { Finding } from './import-findings.ts'
import { commandWord, printable, shown } from './labels.ts'
import type { Removal } from './rewritten-file.ts'

/** A literal secret in a file. */
export interface Literal {
  readonly path: JSONPath
  readonly value: string
  readonly line: number
}

/** Secrets that are moved together, and the resulting changes of the file. */
export interface FoundLiteral {
  readonly finding: Finding
  removals(): readonly Removal[]
}

/** Whether a member is an environment variable of a server. */
export function isVariable(path: JSONPath): boolean {
  return path.at(-2) === 'env' && /^(?:mcpServers|servers)$/.test(String(path.at(-4)))
}

/** Why secrets of a file are not moved. */
export function untrusted({ path }: Pick<ConfigFile, 'path'>): string {
  return `the file is not trusted: run \`npx mcp-credentials trust ${commandWord(path)}\` first`
}

/** The finding for a variable. Its value is stored under a name, and the file refers to that name. */
export async function variableFinding(
  file: ConfigFile,
  literal: Literal,
  root: Node,
): Promise<FoundLiteral> {
  const { path, value, line } = literal
  const [server, variable] = [String(path.at(-3)), String(path.at(-1))]
  const member = (name: string) => findNodeAtLocation(root, [...path.slice(0, -2), name])
  const command: unknown = member('command')?.value
  const problem = await problemOf(file, literal, variable, command)
  let name: string | undefined
  const finding: Finding = {
    server,
    source: `${printable(file.path)}:${line}`,
    kind: `variable ${printable(variable)}`,
    problem,
    async copyTo(store) {
      if (problem !== undefined) return undefined
      name = await stored(store, baseName(server, variable), value)
      return `Stored the secret ${name}.`
    },
    ...(file.isTrusted ? {} : { untrustedFile: file.path }),
    advice: () => {
      const args = (member('args')?.children ?? []).map(({ value }) => String(value))
      const words = [String(command), ...withHiddenArguments(args)].map(commandWord).join(' ')
      const line = `npx -y mcp-credentials exec ${commandWord(server)} --config ${commandWord(file.path)} -- ${words}`
      return `A client that reads ${printable(file.path)} cannot read the store. Configure this command for ${shown(server)}: ${line}`
    },
  }
  const replaced = () => ({ path, value, replacement: `\${stored:${name}}` })
  return { finding, removals: () => (name === undefined ? [] : [replaced()]) }
}

async function problemOf(
  file: ConfigFile,
  { value }: Literal,
  variable: string,
  command: unknown,
): Promise<string | undefined> {
  if (value.includes('${') || typeof command !== 'string') {
    return `replace it yourself: write \${NAME} in the file, and set that variable`
  }
  if (!file.isTrusted) return untrusted(file)
  if (await canHoldSecret(variable)) return undefined
  return 'a variable of this name cannot hold a stored secret, so replace it yourself'
}

/** Whether a variable may hold a stored secret. Some may not, because they determine what a process runs. */
async function canHoldSecret(variable: string): Promise<boolean> {
  const { stdioEnvironment } = await import('../mcp/index.ts')
  try {
    await stdioEnvironment({ [variable]: 'x' })
    return true
  } catch (error) {
    if (isCredentialError(error, 'configuration')) return false
    throw error
  }
}

/** The name of a secret: that of the server and that of the variable. */
function baseName(server: string, variable: string): string {
  const text = `${server}.${variable}`.replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '')
  return text.slice(0, 90)
}

/** Stores a secret under an unused name, or under one that already holds the same secret. */
async function stored(store: DefaultStore, base: string, value: string): Promise<string> {
  const { saveSecret } = await import('../auto/index.ts')
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? base : `${base}.${count}`
    // Another import may choose the same name at the same time.
    const { kept } = await saveSecret(store, { name, value, ifAbsent: true })
    if (!kept) return name
  }
}
