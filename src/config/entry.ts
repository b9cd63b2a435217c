/**
 * The entry of one server, as a config file has it.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import { isTransportHeader } from '../transport-headers.ts'
import { checkAuth, describeAuth } from './auth.ts'
import { argvOf } from './auth-options.ts'
import { splitCommand } from './command-line.ts'
import { environmentProblem } from './environments.ts'
import { isLiteralSecret, isSecretName } from './literal-secrets.ts'
import { type Member, membersOf, textOf, textsOf } from './nodes.ts'
import { type Report, shown } from './problems.ts'
import { hasSecretQuery } from './server-url.ts'
import { literalOf, parseTemplate, readsAnything } from './template.ts'

/** What a client other than ours was told about the OAuth login of a server. It holds no secret. */
export interface ClientRegistration {
  /** The client identifier that is registered with the authorization server. */
  readonly clientId?: string
  /** The port of the redirect URI `http://localhost:PORT/callback`. */
  readonly callbackPort?: number
  /** The scopes to ask for, separated by spaces. */
  readonly scope?: string
}

/** An entry that was read; nothing of it was expanded or run. */
export interface ServerEntry {
  readonly name: string
  /** Where the entry begins in its file. */
  readonly offset: number
  readonly kind: 'http' | 'stdio'
  /** The URL as it is written. */
  readonly url: string | undefined
  readonly headers: ReadonlyMap<string, string>
  /** The block of ours. */
  readonly auth: Node | undefined
  readonly tenants: ReadonlyMap<string, Node> | undefined
  readonly headersHelper: readonly string[] | undefined
  readonly oauth: ClientRegistration | undefined
  readonly command: string | undefined
  readonly args: readonly string[]
  readonly env: ReadonlyMap<string, string>
  /** The folder in which the process starts, as it is written. */
  readonly cwd: string | undefined
  /** The environment that was chosen, where the entry has it. */
  readonly environment: string | undefined
  readonly environments: readonly string[]
  /** Why it cannot be used although its file can, in words. */
  readonly problem: string | undefined
  /** How it proves who the client is, in words. */
  readonly words: string
}

/** How entries are read. */
export interface Reading {
  /** Something that makes the file unusable. */
  readonly report: Report
  /** Something that a person should know; `moves`: a secret that belongs elsewhere. */
  readonly warn: (offset: number, message: string, kind: 'secret' | 'left-out') => void
  /** The environment that was chosen. */
  readonly environment: string | undefined
}

const overridable: readonly string[] = ['url', 'serverUrl', 'headers', 'auth', 'tenants']

/** Reads an entry; `undefined`: it is none, and `report` knows why. */
export function readEntry(
  name: string,
  { key, value: node }: Member,
  reading: Reading,
): ServerEntry | undefined {
  const label = `the server \`${shown(name)}\``
  const base = membersOf(node, `an object for ${label}`, reading.report)
  if (base === undefined) return undefined
  const environments = readEnvironments(label, base, reading)
  const chosen = environments.get(reading.environment ?? '')
  const members = new Map([...base, ...(chosen ?? [])])
  const url = textMember(members, ['url', 'serverUrl'], reading)
  if (url !== undefined && hasSecretQuery(url)) {
    reading.warn(key.offset, `The URL of ${label} holds a secret as it is.`, 'secret')
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
    words: wordsOf(isHttp, auth, headersHelper, headers),
  }
}

type Members = ReadonlyMap<string, Member>
type AuthParts = Pick<ServerEntry, 'auth' | 'tenants'>

function textMember(
  members: Members,
  names: readonly string[],
  { report }: Reading,
): string | undefined {
  for (const name of names) {
    const member = members.get(name)
    if (member === undefined) continue
    const text = textOf(member.value)
    if (text !== undefined && text.trim() !== '') return text.trim()
    report(member.value.offset, `Expected a text for \`${name}\`.`)
  }
  return undefined
}

/** The overrides of each environment, checked, whether it is chosen or not. */
function readEnvironments(
  label: string,
  members: Members,
  { report, ...reading }: Reading,
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
      const text = `An environment cannot change \`${shown(member)}\`; it has ${options}.`
      report(key.offset, text)
    }
    textMember(overrides, ['url', 'serverUrl'], { report, ...reading })
    // The chosen one is read again in its place, with the same problems.
    if (name !== reading.environment) {
      readAuth(label, overrides, true, { report, ...reading })
      readHeaders(overrides, { report, ...reading })
    }
    found.set(name, overrides)
  }
  return found
}

function readAuth(label: string, members: Members, isHttp: boolean, reading: Reading): AuthParts {
  const { report } = reading
  const auth = members.get('auth')
  const tenants = members.get('tenants')
  if (auth !== undefined && isForeignAuth(auth.value)) {
    warnOfForeignSecret(auth.value, reading)
    return { auth: undefined, tenants: undefined }
  }
  if (auth !== undefined && !isHttp) {
    report(auth.key.offset, `\`auth\` is for servers with a URL; ${label} has a command.`)
  }
  if (auth !== undefined && tenants !== undefined) {
    report(tenants.key.offset, 'Write either `auth` or `tenants`: each tenant has its own `auth`.')
  }
  if (auth !== undefined) checkAuth(auth.value, report)
  const blocks = new Map<string, Node>()
  if (tenants === undefined) return { auth: auth?.value, tenants: undefined }
  for (const [name, { value }] of membersOf(tenants.value, '`tenants`: an object', report) ?? []) {
    const block = membersOf(value, `an object with \`auth\` for the tenant`, report)?.get('auth')
    if (block === undefined) report(value.offset, `The tenant \`${shown(name)}\` needs \`auth\`.`)
    else {
      checkAuth(block.value, report)
      blocks.set(name, block.value)
    }
  }
  return { auth: undefined, tenants: blocks }
}

/** Cursor has an `auth` of its own, with a client that is registered already. */
function isForeignAuth(node: Node): boolean {
  const members = membersOf(node, '', () => {})
  return members?.has('provider') !== true && members?.has('CLIENT_ID') === true
}

function warnOfForeignSecret(node: Node, { warn }: Reading): void {
  const secret = membersOf(node, '', () => {})?.get('CLIENT_SECRET')?.value
  const literal = literalOf(parseTemplate(textOf(secret) ?? ''))
  if (secret !== undefined && literal !== '') {
    warn(secret.offset, 'The client secret stands in the file as it is.', 'secret')
  }
}

function readHeaders(members: Members, { report, warn }: Reading): ReadonlyMap<string, string> {
  const headers = new Map<string, string>()
  const node = members.get('headers')?.value
  if (node === undefined) return headers
  for (const [name, { key, value, text }] of textsOf(node, '`headers`: an object', report)) {
    if (isTransportHeader(name)) {
      const message = `The header \`${shown(name)}\` belongs to the transport, so it is left out.`
      warn(key.offset, message, 'left-out')
      continue
    }
    const template = parseTemplate(text)
    if (template.problem !== undefined) {
      report(value.offset, `The header \`${shown(name)}\` ${template.problem}.`)
    }
    if (isLiteralSecret(name, literalOf(template))) {
      const message = `The header \`${shown(name)}\` holds a secret that stands in the file as it is.`
      warn(value.offset, message, 'secret')
    }
    headers.set(name, text)
  }
  return headers
}

function readEnv(members: Members, { report, warn }: Reading): ReadonlyMap<string, string> {
  const variables = new Map<string, string>()
  const node = members.get('env')?.value
  if (node === undefined) return variables
  for (const [name, { key, value, text }] of textsOf(node, '`env`: an object', report)) {
    if (!/^[^=\0]+$/.test(name)) report(key.offset, 'Expected the name of a variable.')
    const template = parseTemplate(text)
    if (isLiteralSecret(name, literalOf(template))) {
      const message = `The variable \`${shown(name)}\` holds a secret that stands in the file as it is.`
      warn(value.offset, message, 'secret')
    }
    variables.set(name, text)
  }
  return variables
}

function readArgs(members: Members, { report }: Reading): readonly string[] {
  const node = members.get('args')?.value
  if (node === undefined) return []
  const args = (node.type === 'array' ? (node.children ?? []) : [node]).map((each) => {
    const text = textOf(each)
    if (text === undefined) report(each.offset, 'Expected a list of texts for `args`.')
    return text ?? ''
  })
  return args
}

function readHelper(members: Members, { report }: Reading): readonly string[] | undefined {
  const node = members.get('headersHelper')?.value
  if (node === undefined) return undefined
  const argv = argvOf(node)
  if (argv !== undefined) return argv
  const words = splitCommand(textOf(node) ?? '')
  const problem = 'problem' in words ? words.problem : 'is no command'
  report(node.offset, `\`headersHelper\` ${problem}.`)
  return undefined
}

/** What Claude Code writes as `oauth`, and Cursor as `auth`. */
function readRegistration(members: Members, { report }: Reading): ClientRegistration | undefined {
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

/** Scopes as a text, as Claude Code has them, or as a list. */
function scopeOf(node: Node | undefined): string | undefined {
  const scopes = node?.type === 'array' ? (node.children ?? []).map(textOf) : [textOf(node)]
  return scopes.filter((scope) => scope !== undefined && scope !== '').join(' ') || undefined
}

function isPort(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) > 0 && Number(value) < 65_536
}

function wordsOf(
  isHttp: boolean,
  { auth, tenants }: AuthParts,
  helper: readonly string[] | undefined,
  headers: ReadonlyMap<string, string>,
): string {
  if (!isHttp) return 'environment of the process'
  if (tenants !== undefined) return 'one for each tenant'
  if (auth !== undefined) return describeAuth(auth)
  if (helper !== undefined) return 'headers of a command'
  return carriesSecret(headers) ? 'headers' : 'saved login, if the server asks for one'
}

/** Whether headers prove who the client is: one that is read from somewhere is a secret. */
export function carriesSecret(headers: ReadonlyMap<string, string>): boolean {
  return [...headers].some(
    ([name, text]) => isSecretName(name) || readsAnything(parseTemplate(text)),
  )
}
