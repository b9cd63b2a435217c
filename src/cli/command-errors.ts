/**
 * What went wrong with a credential, in the words of the command line: the library's own errors name its functions.
 *
 * @module
 */
import {
  ConfigurationError,
  CredentialError,
  isCredentialError,
  LoginRequiredError,
} from '../index.ts'
import type { Invocation } from './command.ts'
import { fetchOption } from './conversation.ts'
import { commandWord, shown } from './labels.ts'
import type { Server } from './server.ts'
import { withinTime } from './time-limit.ts'

/** The kinds of `set` that most servers with keys use. */
const commonFlags = ['--header X-API-Key', '--bearer', '--basic'] as const

/** Whether nothing is stored for a server, and nothing else provides a credential. */
export function isNothingStored(error: unknown): boolean {
  return isCredentialError(error, 'login_required') && error.reason === 'no_credential'
}

/** Says what to type where a person has to do something; other errors stay as they are. */
export async function forCommand(
  error: unknown,
  server: Server,
  invocation: Invocation,
): Promise<unknown> {
  if (isInsecure(error)) return insecure(error, server)
  if (isCredentialError(error, 'not_fixed_headers')) return notFixed(error, server)
  if (isCredentialError(error, 'no_tenant')) return unknownTenant(error, server, invocation)
  const [, named] = /`config\.connect\('([^']+)', client\)`/.exec(remedyOf(error)) ?? []
  if (named !== undefined) return severalTenants(named, server)
  if (!isCredentialError(error, 'login_required')) return error
  if (isNothingStored(error)) return nothingStored(server, invocation)
  if (/npx mcp-credentials set /.test(error.remedy ?? '')) {
    return keyRefused(error, server, invocation)
  }
  const { reason, scope } = error
  // A server may have written anything, and this is meant to be typed.
  const isPlain = scope !== undefined && /^[\w:./ -]+$/.test(scope)
  const scopes = reason === 'step_up' && isPlain ? ` --scope '${scope}'` : ''
  return new LoginRequiredError(reason, problemOf(error), {
    resource: server.url,
    scope,
    remedy: `Run \`${loginCommand(server, invocation)}${scopes}\`.`,
  })
}

/** Runs a task, and throws its errors as {@link forCommand} says them. */
export async function inCommandWords<T>(
  server: Server,
  invocation: Invocation,
  task: () => T | Promise<T>,
): Promise<T> {
  try {
    return await task()
  } catch (error) {
    throw await forCommand(error, server, invocation)
  }
}

/** The error of a server for which there is no credential. */
export function nothingStored(server: Server, invocation: Invocation): LoginRequiredError {
  const { account } = invocation.global
  const who = account === undefined ? '' : ` (account ${account})`
  const set = `npx mcp-credentials set ${commandWord(server.label)} --header X-API-Key${accountFlag(invocation)}`
  const doctor = `npx mcp-credentials doctor ${commandWord(server.label)}`
  const login = loginCommand(server, invocation)
  return new LoginRequiredError('no_credential', `Nothing is stored for ${server.label}${who}.`, {
    resource: server.url,
    remedy: `Log in: \`${login}\`. Store a key: \`${set}\`. If unsure: \`${doctor}\`.`,
  })
}

/**
 * The error of a credential that the server refuses.
 *
 * @param source - The entry of a config file that it comes from, in words; neither a login nor `set` replaces that.
 */
export function credentialRefused(
  error: CredentialError,
  server: Server,
  source: string | undefined,
  invocation: Invocation,
): CredentialError {
  const { code, status } = error
  const set = `npx mcp-credentials set ${commandWord(server.label)} --header X-API-Key${accountFlag(invocation)}`
  return new CredentialError(code, problemOf(error), {
    resource: server.url,
    ...(status === undefined ? {} : { status }),
    remedy:
      source === undefined
        ? `Log in: \`${loginCommand(server, invocation)}\`. Replace a key: \`${set}\`.`
        : `Check the credential of ${source}. To see what the server wants, run \`npx mcp-credentials doctor ${commandWord(server.label)}\`.`,
  })
}

/** A key that is refused may be the wrong one, be sent in the wrong way, or not be what the server wants. */
async function keyRefused(
  error: LoginRequiredError,
  server: Server,
  invocation: Invocation,
): Promise<CredentialError> {
  const { remedy = '' } = error
  const again = remedy.replace(/`\.$/, `${accountFlag(invocation)}\``)
  return new CredentialError('access_denied', problemOf(error), {
    resource: server.url,
    remedy: (await offersLogin(server, invocation))
      ? `This server wants a login: \`${loginCommand(server, invocation)}\`.`
      : `${again}; ${otherFlags(remedy)}.`,
  })
}

/** The other ways in which keys are sent, after a command with one of them. */
export function otherFlags(command: string): string {
  const others = commonFlags.filter((flag) => !command.includes(flag))
  return `with ${inWords(others)}, if your key is sent so`
}

function remedyOf(error: unknown): string {
  return isCredentialError(error) ? (error.remedy ?? '') : ''
}

function severalTenants(name: string, { url }: Server): ConfigurationError {
  return new ConfigurationError('tenant', `The entry ${shown(name)} has several tenants.`, {
    resource: url,
    remedy: `Write its name in the place of the URL, and add \`--tenant\`: \`${commandWord(name)} --tenant NAME\`.`,
  })
}

function unknownTenant(
  error: CredentialError,
  { entry, url }: Server,
  { global: { tenant } }: Invocation,
): unknown {
  const names = entry?.tenants ?? []
  if (tenant === undefined || names.length === 0) return error
  return new ConfigurationError('tenant', problemOf(error), {
    resource: url,
    remedy: `Write one of its tenants: ${names.map(shown).join(', ')}.`,
  })
}

/** Whether a server was refused because it is reached by http. */
function isInsecure(error: unknown): error is CredentialError {
  return isCredentialError(error) && / is (?:not|neither) https/.test(error.message)
}

function insecure(error: CredentialError, server: Server): CredentialError {
  return new CredentialError(error.code, problemOf(error), {
    resource: server.url,
    remedy: 'Use its address with https://; the commands send no credential without it.',
  })
}

/** A credential that signs each request, or is sent in the address. */
function notFixed(error: CredentialError, { label }: Server): ConfigurationError {
  return new ConfigurationError('server', problemOf(error), {
    remedy: `Use \`npx mcp-credentials proxy ${commandWord(label)}\` instead.`,
  })
}

async function offersLogin(server: Server, invocation: Invocation): Promise<boolean> {
  const { discover } = await import('../oauth/index.ts')
  const found = withinTime(10_000, invocation.signal, (signal) =>
    discover(server.url, { signal, ...fetchOption(invocation) }),
  )
  return found.then(
    () => true,
    () => false,
  )
}

function loginCommand({ entry, label }: Server, invocation: Invocation): string {
  return `npx mcp-credentials login ${commandWord(entry?.name ?? label)}${accountFlag(invocation)}`
}

function accountFlag({ global: { account } }: Invocation): string {
  return account === undefined ? '' : ` --account ${commandWord(account)}`
}

/** What happened, without what to do and without the name of the library's function. */
function problemOf({ message, remedy = '' }: CredentialError): string {
  const problem = message.endsWith(remedy)
    ? message.slice(0, message.length - remedy.length)
    : message
  const text = problem.replace(/^[a-z]\w*: /, '').trim()
  return /^https?:/.test(text) ? text : text.slice(0, 1).toUpperCase() + text.slice(1)
}

function inWords(names: readonly string[]): string {
  return names.length < 3
    ? names.join(' or ')
    : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}
