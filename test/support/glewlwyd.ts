import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { exportJWK, generateKeyPair, type JWK } from 'jose'
import { freePort } from './redis-server.ts'

/** A client that glewlwyd knows, in the words of its administration interface. */
export interface GlewlwydClient {
  readonly client_id: string
  readonly confidential: boolean
  readonly client_secret?: string
  readonly authorization_type: readonly string[]
  readonly redirect_uri?: readonly string[]
  readonly token_endpoint_auth_method?: readonly string[]
  readonly jwks?: { readonly keys: readonly JWK[] }
}

/** A real authorization server, written in C, with a folder and a database of its own. */
export interface Glewlwyd {
  readonly issuer: string
  /** Plays a person with a browser: logs in, agrees and follows the way back. */
  approve(url: URL): Promise<void>
  /** Plays a person who enters a code on another device. */
  approveDevice(userCode: string, clientId: string): Promise<void>
  stop(): Promise<void>
}

const schema = '/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3'
const modules = '/usr/lib/glewlwyd'
const person = { username: 'alice', password: 'a-password-of-good-length' }
const scopes = ['notes:read', 'notes:write']

/** Starts it on a free port of this machine. */
export async function startGlewlwyd(options: {
  readonly clients: readonly GlewlwydClient[]
  /** The resources that tokens may be meant for. */
  readonly resource: string
}): Promise<Glewlwyd> {
  const folder = await mkdtemp(join(tmpdir(), 'glewlwyd-'))
  const origin = `http://127.0.0.1:${await freePort()}`
  let server: ChildProcess | undefined
  const stop = async () => {
    if (server !== undefined) await end(server)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    server = launch(await prepare(folder, origin))
    await ready(server, origin)
    await configure(origin, options)
    return { issuer: `${origin}/api/oidc`, stop, ...personOf(origin) }
  } catch (error) {
    await stop()
    throw isMissing(error)
      ? new Error('glewlwyd cannot be run: install the packages `glewlwyd` and `sqlite3`', {
          cause: error,
        })
      : error
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** Writes its database and its configuration, and returns the latter's path. */
async function prepare(folder: string, origin: string): Promise<string> {
  const database = join(folder, 'glewlwyd.db')
  const statements = await readFile(schema, 'utf8')
  const sqlite = promisify(execFile)('sqlite3', [database])
  // One write to the disk in place of one for each statement.
  sqlite.child.stdin?.end(`BEGIN;\n${statements}\nCOMMIT;\n`)
  await sqlite
  const config = join(folder, 'glewlwyd.conf')
  await writeFile(config, configurationOf(origin, database))
  return config
}

function launch(config: string): ChildProcess {
  const child = spawn('glewlwyd', [`--config-file=${config}`], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  child.once('exit', () => process.removeListener('exit', kill))
  return child
}

/** Waits until it answers. */
async function ready(child: ChildProcess, origin: string): Promise<void> {
  let log = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk) => {
      log += chunk
    })
  }
  let failure: Error | undefined
  child.once('error', (error) => {
    failure = error
  })
  const until = Date.now() + 20_000
  for (;;) {
    if (failure !== undefined) throw failure
    if (child.exitCode !== null) throw new Error(`glewlwyd ended: ${log}`)
    const answer = await fetch(`${origin}/api/`).catch(() => undefined)
    if (answer !== undefined) return
    if (Date.now() > until) throw new Error(`glewlwyd was not ready within 20 s: ${log}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
}

function configurationOf(origin: string, database: string): string {
  return `
port=${new URL(origin).port}
bind_address="127.0.0.1"
external_url="${origin}"
login_url="login.html"
api_prefix="api"
static_files_path="/usr/share/glewlwyd/webapp/"
log_mode="console"
log_level="WARNING"
cookie_domain="127.0.0.1"
cookie_secure=0
session_expiration=3600
session_key="SESSION"
admin_session_authentication="cookie"
profile_session_authentication="cookie"
login_api_enabled=true
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="${modules}/user"
user_middleware_module_path="${modules}/user_middleware"
client_module_path="${modules}/client"
user_auth_scheme_module_path="${modules}/scheme"
plugin_module_path="${modules}/plugin"
use_secure_connection=false
secure_connection_key_file="/nowhere"
secure_connection_pem_file="/nowhere"
hash_algorithm="SHA512"
database = { type = "sqlite3"; path = "${database}"; };
`
}

/** A browser without pages: the session's cookie, and the calls that the pages' scripts make. */
async function session(origin: string, credentials: { username: string; password: string }) {
  let cookie = ''
  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(new URL(path, origin), {
      method,
      redirect: 'manual',
      headers: { cookie, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (answer.status >= 400) {
      throw new Error(`glewlwyd: ${method} ${path}: ${answer.status} ${await answer.text()}`)
    }
    return answer
  }
  const answer = await call('POST', '/api/auth/', credentials)
  cookie = answer.headers
    .getSetCookie()
    .map((each) => each.split(';')[0])
    .join('; ')
  return call
}

async function configure(
  origin: string,
  options: { readonly clients: readonly GlewlwydClient[]; readonly resource: string },
): Promise<void> {
  const call = await session(origin, { username: 'admin', password: 'password' })
  for (const name of scopes) {
    const scope = { name, display_name: name, description: name, password_required: true }
    await call('POST', '/api/scope/', { ...scope, password_max_age: 0, scheme: {} })
  }
  const user = { ...person, name: 'Alice', enabled: true, scope: ['openid', ...scopes] }
  await call('POST', '/api/user/', user)
  for (const client of options.clients) {
    const rest = { name: client.client_id, enabled: true, scope: scopes }
    await call('POST', '/api/client/', { ...client, ...rest })
  }
  await call('POST', '/api/mod/plugin/', {
    module: 'oidc',
    name: 'oidc',
    display_name: 'oidc',
    enabled: true,
    parameters: await pluginOf(`${origin}/api/oidc`, options.resource),
  })
}

async function pluginOf(issuer: string, resource: string): Promise<Record<string, unknown>> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true })
  const key = { ...(await exportJWK(privateKey)), kid: 'key', alg: 'ES256', use: 'sig' }
  const on = [
    'allow-non-oidc',
    'auth-type-code-enabled',
    'auth-type-code-revoke-replayed',
    'auth-type-client-enabled',
    'auth-type-device-enabled',
    'auth-type-refresh-enabled',
    'introspection-revocation-allowed',
    'introspection-revocation-allow-target-client',
    'jwks-show',
    'oauth-as-iss-id',
    'oauth-dpop-allowed',
    'pkce-allowed',
    'pkce-required',
    'request-parameter-allow',
    'resource-allowed',
  ]
  const off = [
    'auth-type-token-enabled',
    'auth-type-password-enabled',
    'auth-type-implicit-enabled',
    'auth-type-none-enabled',
    'pkce-method-plain-allowed',
    'refresh-token-rolling',
    'encrypt-out-token-allow',
  ]
  return {
    iss: issuer,
    'subject-type': 'public',
    'jwks-private': JSON.stringify({ keys: [key] }),
    'default-kid': 'key',
    'access-token-duration': 3600,
    'refresh-token-duration': 1_209_600,
    'code-duration': 60,
    'refresh-token-one-use': 'always',
    'device-authorization-expiration': 600,
    'device-authorization-interval': 1,
    'oauth-dpop-iat-duration': 60,
    'client-jwks-parameter': 'jwks',
    'request-maximum-exp': 3600,
    'resource-scope': Object.fromEntries(scopes.map((each) => [each, [resource]])),
    'introspection-revocation-auth-scope': [],
    'allowed-scope': ['openid', ...scopes],
    'name-claim': 'no',
    'email-claim': 'no',
    'scope-claim': 'no',
    ...Object.fromEntries(on.map((each) => [each, true])),
    ...Object.fromEntries(off.map((each) => [each, false])),
  }
}

function personOf(origin: string): Pick<Glewlwyd, 'approve' | 'approveDevice'> {
  const logIn = async (clientId: string, scope: string) => {
    const call = await session(origin, person)
    await call('PUT', `/api/auth/grant/${clientId}`, { scope })
    return call
  }
  const follow = async (call: Awaited<ReturnType<typeof logIn>>, path: string) => {
    const answer = await call('GET', path)
    const location = answer.headers.get('location')
    if (location === null) throw new Error(`glewlwyd: ${answer.status} without a redirect`)
    return new URL(location, origin)
  }
  return {
    async approve(url) {
      const clientId = url.searchParams.get('client_id') ?? ''
      const call = await logIn(clientId, url.searchParams.get('scope') ?? '')
      const back = await follow(call, `${url.pathname}${url.search}&g_continue`)
      if (back.origin === origin) throw new Error(`glewlwyd shows ${back}`)
      await fetch(back)
    },
    async approveDevice(userCode, clientId) {
      const call = await logIn(clientId, scopes.join(' '))
      const page = `/api/oidc/device?code=${encodeURIComponent(userCode)}&g_continue`
      const back = await follow(call, page)
      if (!back.href.includes('prompt=deviceComplete')) throw new Error(`glewlwyd shows ${back}`)
    },
  }
}
