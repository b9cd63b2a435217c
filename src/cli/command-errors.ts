/**
 * Replaces remedies that name functions of the library by commands that the user can type.
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
import { commandWord, shown } from './labels.ts'
import { problemOf } from './problem.ts'
import { readConfig, type Server } from './server.ts'
import { withTimeLimit } from './time-limit.ts'
import { fetchOption } from './verbose-fetch.ts'

/** The options of `set` that fit most servers with keys. */
const commonFlags = ['--header X-API-Key', '--bearer', '--basic'] as const

/** Whether nothing is stored for a server, and nothing else provides a credential. */
export function isNothingStored(error: unknown): boolean {
  return isCredentialError(error, 'login_required') && error.reason === 'no_credential'
}

/** Returns the error with a command as its remedy where the user must act; other errors are unchanged. */
export async function toCommandError(
  error: unknown,
  server: Server,
  invocation: Invocation,
): Promise<unknown> {
  if (isInsecure(error, server)) return insecureError(error, server)
  if (isCredentialError(error, 'not_fixed_headers')) return notFixedError(error, server)
  if (isCredentialError(error, 'no_tenant')) return unknownTenantError(error, server, invocation)
  if (isCredentialError(error, 'configuration') && error.option === 'tenants') {
    return severalTenantsError(error, server, invocation)
  }
  if (!isCredentialError(error, 'login_required')) return error
  if (isNothingStored(error)) return nothingStoredError(server, invocation)
  if (isKeyRefused(error)) return keyRefusedError(error, server, invocation)
  const { reason, scope } = error
  // The server wrote the scopes, and the user copies them into a shell.
  const isPlain = scope !== undefined && /^[\w:./ -]+$/.test(scope)
  const scopes = reason === 'step_up' && isPlain ? ` --scope '${scope}'` : ''
  return new LoginRequiredError(reason, problemOf(error), {
    resource: server.url,
    scope,
    remedy: `Run \`${loginCommand(server, invocation)}${scopes}\`.`,
  })
}

/** Whether the server refuses a stored key; a login replaces only a login that needs further scopes. */
function isKeyRefused({ reason, remedy = '' }: LoginRequiredError): boolean {
  if (reason === 'key_rejected') return true
  return reason === 'step_up' && remedy.includes('npx mcp-credentials set ')
}

/** Runs a task, and passes its errors through {@link toCommandError}. */
export async function withCommandErrors<T>(
  server: Server,
  invocation: Invocation,
  task: () => T | Promise<T>,
): Promise<T> {
  try {
    return await task()
  } catch (error) {
    throw await toCommandError(error, server, invocation)
  }
}

/** The error for a server without a credential. */
export function nothingStoredError(server: Server, invocation: Invocation): LoginRequiredError {
  const { account } = invocation.global
  const who = account === undefined ? '' : ` (account ${account})`
  const set = `npx mcp-credentials set ${commandWord(server.label)} --header X-API-Key${accountFlag(invocation)}`
  const doctor = `npx mcp-credentials doctor ${commandWord(server.label)}`
  const login = loginCommand(server, invocation)
  return new LoginRequiredError('no_credential', `Nothing is stored for ${server.label}${who}.`, {
    resource: server.url,
    remedy: `Log in: \`${login}\`. Store a key: \`${set}\`. If you do not know which: \`${doctor}\`.`,
  })
}

/**
 * The error for a credential that the server refuses.
 *
 * @param source - A description of the config entry that provides it; neither a login nor `set` replaces
 *   that credential.
 */
export function credentialRefusedError(
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
        : `Check the credential of ${source}. To see what the server requires, run \`npx mcp-credentials doctor ${commandWord(server.label)}\`.`,
  })
}

/** The key may be wrong, or be sent in the wrong way, or the server may require a login. */
async function keyRefusedError(
  error: LoginRequiredError,
  server: Server,
  invocation: Invocation,
): Promise<CredentialError> {
  const { remedy = '' } = error
  const again = remedy.replace(/`\.$/, `${accountFlag(invocation)}\``)
  return new CredentialError('access_denied', problemOf(error), {
    resource: server.url,
    remedy: (await offersLogin(server, invocation))
      ? `This server requires a login: \`${loginCommand(server, invocation)}\`.`
      : `${again}; ${otherKeyFlags(remedy)}.`,
  })
}

/** Names the other options for keys, to follow a command that has one of them. */
export function otherKeyFlags(command: string): string {
  const others = commonFlags.filter((flag) => !command.includes(flag))
  return `use ${joinedWithOr(others)} if the server expects the key there`
}

/** The error for the URL of a config entry that has several tenants. */
async function severalTenantsError(
  error: CredentialError,
  { url }: Server,
  invocation: Invocation,
): Promise<unknown> {
  const { defaultStore } = await import('../auto/index.ts')
  const name = (await readConfig(invocation, defaultStore())).find(url)?.name
  if (name === undefined) return error
  return new ConfigurationError('tenant', `The entry ${shown(name)} has several tenants.`, {
    resource: url,
    remedy: `Use its name instead of the URL, and add \`--tenant\`: \`${commandWord(name)} --tenant NAME\`.`,
  })
}

function unknownTenantError(
  error: CredentialError,
  { entry, url }: Server,
  { global: { tenant } }: Invocation,
): unknown {
  const names = entry?.tenants ?? []
  if (tenant === undefined || names.length === 0) return error
  return new ConfigurationError('tenant', problemOf(error), {
    resource: url,
    remedy: `Choose one of its tenants: ${names.map(shown).join(', ')}.`,
  })
}

/** Whether a server was refused because a URL is not https. */
function isInsecure(error: unknown, { url }: Server): error is CredentialError {
  if (isCredentialError(error, 'discovery')) return error.reason === 'not_https'
  const isOfResource = isCredentialError(error, 'configuration') && error.option === 'resource'
  return isOfResource && url.protocol === 'http:'
}

function insecureError(error: CredentialError, server: Server): CredentialError {
  return new CredentialError(error.code, problemOf(error), {
    resource: server.url,
    remedy: 'Use its https:// URL; the commands send credentials over https only.',
  })
}

/** The error for a credential that signs each request or is sent in the URL. */
function notFixedError(error: CredentialError, { label }: Server): ConfigurationError {
  return new ConfigurationError('server', problemOf(error), {
    remedy: `Use \`npx mcp-credentials proxy ${commandWord(label)}\` instead.`,
  })
}

async function offersLogin(server: Server, invocation: Invocation): Promise<boolean> {
  const { discover } = await import('../oauth/index.ts')
  const found = withTimeLimit(10_000, invocation.signal, (signal) =>
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

function joinedWithOr(names: readonly string[]): string {
  return names.length < 3
    ? names.join(' or ')
    : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}
