/**
 * Secrets that stand in the `env` of servers that are started as a process.
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

/** A secret in a file. */
export interface Literal {
  readonly path: JSONPath
  readonly value: string
  readonly line: number
}

/** Secrets that are moved together, and how the file changes once they were. */
export interface FoundLiteral {
  readonly finding: Finding
  removals(): readonly Removal[]
}

/** Whether a member is a variable of a server. */
export function isVariable(path: JSONPath): boolean {
  return path.at(-2) === 'env' && /^(?:mcpServers|servers)$/.test(String(path.at(-4)))
}

/** Why nothing is moved out of a file. */
export function untrusted({ path }: Pick<ConfigFile, 'path'>): string {
  return `its file is not trusted: run \`npx mcp-credentials trust ${commandWord(path)}\` first`
}

/** A variable, which is stored under a name that the file refers to. */
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
      return `A client that reads ${printable(file.path)} does not know the store. Let it start ${shown(server)} with this command: ${line}`
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
    return `move it by hand: write \${NAME} in the file, and set that variable`
  }
  if (!file.isTrusted) return untrusted(file)
  if (await canHoldSecret(variable)) return undefined
  return 'no secret is read into a variable of this name, so it is moved by hand'
}

/** Whether a variable may be read from elsewhere: some decide what a process runs. */
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

/** The name of a secret, made of those of the server and the variable. */
function baseName(server: string, variable: string): string {
  const text = `${server}.${variable}`.replace(/[^\w.-]+/g, '-').replace(/^[.-]+/, '')
  return text.slice(0, 90)
}

/** Stores a secret under a name that is free, or under which that very secret is stored already. */
async function stored(store: DefaultStore, base: string, value: string): Promise<string> {
  const { saveSecret } = await import('../auto/index.ts')
  for (let count = 1; ; count += 1) {
    const name = count === 1 ? base : `${base}.${count}`
    // Another import may choose the same name at the same time.
    const { kept } = await saveSecret(store, { name, value, ifAbsent: true })
    if (!kept) return name
  }
}
