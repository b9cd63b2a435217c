import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { configSource } from '../../src/auto/config-source.ts'
import { autoProvider } from '../../src/auto/provider.ts'
import { loginAtTerminal } from '../../src/auto/terminal-login.ts'
import { loadConfig } from '../../src/config/index.ts'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'terminal-login-'))
})
afterEach(() => rm(folder, { recursive: true }))

const terminal = { stdin: { isTTY: true }, stderr: { isTTY: true }, env: {} }

/** `auto({ interactive: true })` at a terminal, with an entry in a config file and a browser that consents. */
async function setUp(entry: object, isTrusted = true) {
  const world = await oauthWorld({ token: (_params, count) => ({ body: tokenAnswer(count) }) })
  const config = join(folder, 'mcp.json')
  await writeFile(config, JSON.stringify({ mcpServers: { crm: { url: world.url, ...entry } } }))
  const store = memoryStore()
  if (isTrusted) await (await loadConfig({ path: config, store })).trust(config)
  const grant: typeof authorizationCode = (options) =>
    authorizationCode({ ...options, onAuthorizationUrl: async (url) => void (await fetch(url)) })
  const sources = {
    saved: savedLogin(),
    config: configSource({ config, environment: undefined, store }),
    login: (client: object | undefined) => loginAtTerminal(client, terminal, async () => grant),
  }
  const client = () => {
    return authorizedFetch(autoProvider(sources, store, { interactive: true }), {
      resource: world.url,
    })
  }
  return { world, client }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

test('a login through auto() uses the client, the port and the scopes of the entry', async () => {
  const callbackPort = await freePort()
  const oauth = { clientId: 'agent-7', callbackPort, scopes: 'read write' }
  const { world, client } = await setUp({ oauth })
  await using fetch = client()
  await fetch.login()
  expect(world.logins()).toMatchObject([
    {
      client_id: 'agent-7',
      redirect_uri: `http://localhost:${callbackPort}/callback`,
      scope: 'read write',
    },
  ])
  expect(world.paths()).not.toContain('/register')
})

test('a login through auto() does not use what an entry says that nobody has trusted', async () => {
  const { world, client } = await setUp({ oauth: { clientId: 'agent-7', scopes: ['all'] } }, false)
  await using fetch = client()
  await fetch.login()
  expect(world.logins()).toMatchObject([{ client_id: 'registered-1' }])
  expect(world.logins()[0]?.['scope']).not.toBe('all')
})

test('nobody is asked where there is no terminal', async () => {
  const pipe = { ...terminal, stdin: {} }
  expect(await loginAtTerminal({}, pipe)).toEqual({ reason: 'there is no terminal' })
  const pipeline = { ...terminal, env: { CI: 'true' } }
  expect(await loginAtTerminal({}, pipeline)).toEqual({ reason: 'there is no terminal' })
})

test('two clients of auto() that start at once ask a person once', async () => {
  const { world, client } = await setUp({})
  await using one = client()
  await using other = client()
  await Promise.all([one.login(), other.login()])
  expect(world.logins()).toHaveLength(1)
  expect(world.tokenRequests()).toHaveLength(1)
})
