/**
 * Reads the entry of one server in a config file.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import { isTransportHeader } from '../transport-headers.ts'
import { checkAuth, describeAuth, isSavedLogin } from './auth.ts'
import { argvOf } from './auth-options.ts'
import { splitCommand } from './command-line.ts'
import { environmentProblem } from './environments.ts'
import { isLiteralSecret, isSecretName } from './literal-secrets.ts'
import { type Member, membersOf, textOf, textsOf } from './nodes.ts'
import { type Report, shown } from './problems.ts'
import { hasSecretQuery } from './server-url.ts'
import { literalOf, parseTemplate, readsAnything } from './template.ts'

/** The OAuth registration that the entry has for another client. It contains no secret. */
export interface ClientRegistration {
  /** The client ID that is registered with the authorization server. */
  readonly clientId?: string
  /** The port of the redirect URI `http://localhost:PORT/callback`. */
  readonly callbackPort?: number
  /** The scopes to request, separated by spaces. */
  readonly scope?: string
}

/** An entry as it was read; nothing was expanded or run. */
export interface ServerEntry {
  readonly name: string
  /** The offset of the entry in its file. */
  readonly offset: number
  readonly kind: 'http' | 'stdio'
  /** The URL as written. */
  readonly url: string | undefined
  readonly headers: ReadonlyMap<string, string>
  /** This library's `auth` block. */
  readonly auth: Node | undefined
  readonly tenants: ReadonlyMap<string, Node> | undefined
  readonly headersHelper: readonly string[] | undefined
  readonly oauth: ClientRegistration | undefined
  readonly command: string | undefined
  readonly args: readonly string[]
  readonly env: ReadonlyMap<string, string>
  /** The folder in which the process starts, as written. */
  readonly cwd: string | undefined
  /** The chosen environment, if the entry has it. */
  readonly environment: string | undefined
  readonly environments: readonly string[]
  /** Why it cannot be used, although its file is valid. */
  readonly problem: string | undefined
  /** A description of its credential. */
  readonly description: string
  /** Whether its credential is the login or key that is stored for the server. */
  readonly usesSavedLogin: boolean
}

/** The kinds of warnings about entries. */
export type WarningKind = 'secret' | 'secret_in_url' | 'ignored'

/** The settings and callbacks for reading entries. */
export interface EntryContext {
  /** Reports a problem that makes the file invalid. */
  readonly report: Report
  /** Reports a warning for the user. */
  readonly warn: (offset: number, message: string, kind: WarningKind) => void
  /** The chosen environment. */
  readonly environment: string | undefined
}

const overridable: readonly string[] = ['url', 'serverUrl', 'headers', 'auth', 'tenants']

/** Reads an entry; `undefined`: it is invalid, which was reported. */
export function readEntry(
  name: string,
  { key, value: node }: Member,
  reading: EntryContext,
): ServerEntry | undefined {
  const label = `the server \`${shown(name)}\``
  const base = membersOf(node, `an object for ${label}`, reading.report)
  if (base === undefined) return undefined
  const environments = readEnvironments(label, base, reading)
  const chosen = environments.get(reading.environment ?? '')
  const members = new Map([...base, ...(chosen ?? [])])
  const url = textMember(members, ['url', 'serverUrl'], reading)
  if (url !== undefined && hasSecretQuery(url)) {
    reading.warn(key.offset, `The URL of ${label} contains a literal secret.`, 'secret_in_url')
  }
  const command = textMember(members, ['command'], reading)
  const isHttp = url !== undefined || (command === undefined && environments.size > 0)
  if (url === undefined && command === undefined && environments.size === 0) {
    reading.report(node.offset, `Expected \`url\` or \`command\` for ${label}.`)
    return undefined
  }
  const auth = readAuth(label, members, isHttp, reading)
  const headers = readHeaders(members, reading)
  const headersHelper = readHelper(members, reading)
  return {
    name,
    offset: key.offset,
    kind: isHttp ? 'http' : 'stdio',
    url,
    headers,
    ...auth,
    headersHelper,
    oauth: readRegistration(members, reading),
    command,
    args: readArgs(members, reading),
    env: readEnv(members, reading),
    cwd: textMember(members, ['cwd'], reading),
    environment: chosen === undefined ? undefined : reading.environment,
    environments: [...environments.keys()],
    problem: environmentProblem(reading.environment, environments, base, url ?? command),
    description: describeCredential(isHttp, auth, headersHelper, headers),
    usesSavedLogin: isHttp && usesSavedLogin(auth, headersHelper, headers),
  }
}

type Members = ReadonlyMap<string, Member>
type AuthParts = Pick<ServerEntry, 'auth' | 'tenants'>

function textMember(
  members: Members,
  names: readonly string[],
  { report }: EntryContext,
): string | undefined {
  for (const name of names) {
    const member = members.get(name)
    if (member === undefined) continue
    const text = textOf(member.value)
    if (text !== undefined && text.trim() !== '') return text.trim()
    report(member.value.offset, `Expected a string for \`${name}\`.`)
  }
  return undefined
}

/** Reads and checks the overrides of all environments, not only of the chosen one. */
function readEnvironments(
  label: string,
  members: Members,
  { report, ...reading }: EntryContext,
): ReadonlyMap<string, Members> {
  const node = members.get('environments')?.value
  const found = new Map<string, Members>()
  if (node === undefined) return found
  for (const [name, { value }] of membersOf(node, '`environments`: an object', report) ?? []) {
    const where = `the environment \`${shown(name)}\` of ${label}`
    const overrides = membersOf(value, `an object for ${where}`, report)
    if (overrides === undefined) continue
    for (const [member, { key }] of overrides) {
      if (overridable.includes(member)) continue
      const options = overridable.filter((each) => each !== 'serverUrl').join(', ')
      const text = `An environment cannot override \`${shown(member)}\`; it can override ${options}.`
      report(key.offset, text)
    }
    textMember(overrides, ['url', 'serverUrl'], { report, ...reading })
    // The chosen one is read with the entry, which reports its problems.
    if (name !== reading.environment) {
      readAuth(label, overrides, true, { report, ...reading })
      readHeaders(overrides, { report, ...reading })
    }
    found.set(name, overrides)
  }
  return found
}

function readAuth(
  label: string,
  members: Members,
  isHttp: boolean,
  reading: EntryContext,
): AuthParts {
  const { report } = reading
  const auth = members.get('auth')
  const tenants = members.get('tenants')
  if (auth !== undefined && isForeignAuth(auth.value)) {
    warnOfForeignSecret(auth.value, reading)
    return { auth: undefined, tenants: undefined }
  }
  if (auth !== undefined && !isHttp) {
    report(auth.key.offset, `\`auth\` is only for servers with a URL; ${label} has a command.`)
  }
  if (auth !== undefined && tenants !== undefined) {
    report(tenants.key.offset, 'Use either `auth` or `tenants`: each tenant has its own `auth`.')
  }
  if (auth !== undefined) checkAuth(auth.value, report)
  const blocks = new Map<string, Node>()
  if (tenants === undefined) return { auth: auth?.value, tenants: undefined }
  for (const [name, { value }] of membersOf(tenants.value, '`tenants`: an object', report) ?? []) {
    const block = membersOf(value, `an object with \`auth\` for the tenant`, report)?.get('auth')
    if (block === undefined)
      report(value.offset, `The tenant \`${shown(name)}\` requires \`auth\`.`)
    else {
      checkAuth(block.value, report)
      blocks.set(name, block.value)
    }
  }
  return { auth: undefined, tenants: blocks }
}

/** Cursor uses its own form of `auth`, with a registered client. */
function isForeignAuth(node: Node): boolean {
  const members = membersOf(node, '', () => {})
  return members?.has('provider') !== true && members?.has('CLIENT_ID') === true
}

function warnOfForeignSecret(node: Node, { warn }: EntryContext): void {
  const secret = membersOf(node, '', () => {})?.get('CLIENT_SECRET')?.value
  const literal = literalOf(parseTemplate(textOf(secret) ?? ''))
  if (secret !== undefined && literal !== '') {
    warn(secret.offset, 'The file contains a literal client secret.', 'secret')
  }
}

function readHeaders(
  members: Members,
  { report, warn }: EntryContext,
): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  const node = members.get('headers')?.value
  if (node === undefined) return headers
  for (const [name, { key, value, text }] of textsOf(node, '`headers`: an object', report)) {
    if (isTransportHeader(name)) {
      const message = `The header \`${shown(name)}\` is set by the transport, so it is ignored.`
      warn(key.offset, message, 'ignored')
      continue
    }
    const template = parseTemplate(text)
    if (template.problem !== undefined) {
      report(value.offset, `The header \`${shown(name)}\` ${template.problem}.`)
    }
    if (isLiteralSecret(name, literalOf(template))) {
      const message = `The header \`${shown(name)}\` contains a literal secret.`
      warn(value.offset, message, 'secret')
    }
    headers.set(name, text)
  }
  return headers
}

function readEnv(members: Members, { report, warn }: EntryContext): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  const node = members.get('env')?.value
  if (node === undefined) return variables
  for (const [name, { key, value, text }] of textsOf(node, '`env`: an object', report)) {
    if (!/^[^=\0]+$/.test(name)) report(key.offset, 'Expected a valid name of a variable.')
    const template = parseTemplate(text)
    if (isLiteralSecret(name, literalOf(template))) {
      const message = `The variable \`${shown(name)}\` contains a literal secret.`
      warn(value.offset, message, 'secret')
    }
    variables.set(name, text)
  }
  return variables
}

function readArgs(members: Members, { report }: EntryContext): readonly string[] {
  const node = members.get('args')?.value
  if (node === undefined) return []
  const args = (node.type === 'array' ? (node.children ?? []) : [node]).map((each) => {
    const text = textOf(each)
    if (text === undefined) report(each.offset, 'Expected a list of strings for `args`.')
    return text ?? ''
  })
  return args
}

function readHelper(members: Members, { report }: EntryContext): readonly string[] | undefined {
  const node = members.get('headersHelper')?.value
  if (node === undefined) return undefined
  const argv = argvOf(node)
  if (argv !== undefined) return argv
  const words = splitCommand(textOf(node) ?? '')
  const problem = 'problem' in words ? words.problem : 'is not a command'
  report(node.offset, `\`headersHelper\` ${problem}.`)
  return undefined
}

/** Reads the `oauth` member of Claude Code and the `auth` member of Cursor. */
function readRegistration(
  members: Members,
  { report }: EntryContext,
): ClientRegistration | undefined {
  const node = members.get('oauth')?.value
  const cursor = members.get('auth')?.value
  if (node?.type === 'object') {
    const given = membersOf(node, '', report)
    const clientId = textOf(given?.get('clientId')?.value)
    const scope = scopeOf(given?.get('scopes')?.value)
    const portNode = given?.get('callbackPort')?.value
    const port: unknown = portNode?.value
    if (portNode !== undefined && !isPort(port)) {
      report(portNode.offset, 'Expected a port from 1 to 65535 for `callbackPort`.')
    }
    return {
      ...(clientId === undefined ? {} : { clientId }),
      ...(scope === undefined ? {} : { scope }),
      ...(isPort(port) ? { callbackPort: port } : {}),
    }
  }
  if (cursor === undefined || !isForeignAuth(cursor)) return undefined
  const given = membersOf(cursor, '', report)
  const clientId = textOf(given?.get('CLIENT_ID')?.value)
  const scope = scopeOf(given?.get('scopes')?.value)
  return {
    ...(clientId === undefined ? {} : { clientId }),
    ...(scope === undefined ? {} : { scope }),
  }
}

/** Scopes as a string, as in Claude Code, or as a list. */
function scopeOf(node: Node | undefined): string | undefined {
  const scopes = node?.type === 'array' ? (node.children ?? []).map(textOf) : [textOf(node)]
  return scopes.filter((scope) => scope !== undefined && scope !== '').join(' ') || undefined
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536
}

function usesSavedLogin(
  { auth, tenants }: AuthParts,
  helper: readonly string[] | undefined,
  headers: ReadonlyMap<string, string>,
): boolean {
  if (tenants !== undefined) return false
  if (auth !== undefined) return isSavedLogin(auth)
  return helper === undefined && !carriesSecret(headers)
}

function describeCredential(
  isHttp: boolean,
  { auth, tenants }: AuthParts,
  helper: readonly string[] | undefined,
  headers: ReadonlyMap<string, string>,
): string {
  if (!isHttp) return 'environment of the process'
  if (tenants !== undefined) return 'one for each tenant'
  if (auth !== undefined) return describeAuth(auth)
  if (helper !== undefined) return 'headers of a command'
  return carriesSecret(headers) ? 'headers' : 'saved login, if the server requires one'
}

/** Whether headers are a credential: a value that is read from elsewhere is a secret. */
export function carriesSecret(headers: ReadonlyMap<string, string>): boolean {
  return [...headers].some(
    ([name, text]) => isSecretName(name) || readsAnything(parseTemplate(text)),
  )
}
