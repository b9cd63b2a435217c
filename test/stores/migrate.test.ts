import { createHash } from 'node:crypto'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { authorizedFetch } from '../../src/index.ts'
import { savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { findKeychainLogins, findMcpRemoteLogins } from '../../src/stores/migrate.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'

/** The folder as mcp-remote 0.15 writes it. */
async function folderOf(url: string, tokens: object, client: object) {
  const directory = await mkdtemp(join(tmpdir(), 'mcp-auth-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const hash = createHash('md5').update(url).digest('hex')
  for (const [version, content] of [
    ['mcp-remote-0.1.29', { access_token: 'outdated', token_type: 'Bearer' }],
    ['mcp-remote-v1', tokens],
  ] as const) {
    await mkdir(join(directory, version))
    await writeFile(join(directory, version, `${hash}_tokens.json`), JSON.stringify(content))
    await writeFile(join(directory, version, `${hash}_client_info.json`), JSON.stringify(client))
  }
  return { directory, path: join(directory, 'mcp-remote-v1', `${hash}_tokens.json`) }
}

test('a login of mcp-remote is found and shown, and is imported only on request', async () => {
  const world = await oauthWorld({
    token: (_params, count) => ({ body: tokenAnswer(count, { refresh_token: `new-${count}` }) }),
  })
  const tokens = { access_token: 'a', refresh_token: 'r', token_type: 'Bearer', scope: 'notes' }
  const client = { client_id: 'remote-client', issuer: world.issuer }
  const { directory, path } = await folderOf(world.url, tokens, client)
  const before = await readFile(path, 'utf8')
  const store = memoryStore()

  const logins = await findMcpRemoteLogins({ servers: [{ url: world.url }], directory })
  expect(logins).toMatchObject([
    { server: world.url, source: path, renewable: true, problem: undefined },
  ])
  expect(JSON.stringify(logins)).not.toMatch(/"a"|"r"/)
  expect(await store.list()).toEqual([])

  expect(await logins[0]?.copyTo(store)).toBe(true)
  expect(await logins[0]?.copyTo(store)).toBe(false)
  expect(await readFile(path, 'utf8')).toBe(before)
  const send = authorizedFetch(savedLogin(), { resource: world.url, store })
  expect((await send(world.url)).status).toBe(200)
  expect(world.tokenRequests()).toMatchObject([{ refresh_token: 'r', client_id: 'remote-client' }])
})

/** A registration response with a secret, which mcp-remote saves unchanged, with its issuer. */
const confidential = (issuer: string, id: string, more: object = {}) => ({
  client_id: id,
  client_secret: 'of-the-client',
  client_id_issued_at: 1_700_000_000,
  client_secret_expires_at: 0,
  redirect_uris: ['http://localhost:3334/oauth/callback'],
  token_endpoint_auth_method: 'client_secret_post',
  issuer,
  ...more,
})
const renewable = { access_token: 'a', refresh_token: 'r', token_type: 'Bearer' }

test('a login of a client with a secret is renewed with the secret, which is shown nowhere', async () => {
  const world = await oauthWorld()
  const client = confidential(world.issuer, 'remote-client')
  const { directory } = await folderOf(world.url, renewable, client)
  const store = memoryStore()
  const logins = await findMcpRemoteLogins({ servers: [{ url: world.url }], directory })
  expect(JSON.stringify(logins)).not.toContain('of-the-client')

  expect(await logins[0]?.copyTo(store)).toBe(true)
  expect(await store.get(`registration ${world.issuer}`)).toMatchObject({
    issuer: world.issuer,
    data: { clientId: 'remote-client', redirectUri: 'http://localhost:3334/oauth/callback' },
  })
  const send = authorizedFetch(savedLogin(), { resource: world.url, store })
  expect((await send(world.url)).status).toBe(200)
  expect(world.tokenRequests()).toMatchObject([
    { refresh_token: 'r', client_id: 'remote-client', client_secret: 'of-the-client' },
  ])
})

test('a secret that was configured for one server is not bound to another', async () => {
  const url = 'https://mcp.example.com/mcp'
  const [honest, other] = ['https://login.example.com', 'https://other.example.com']
  const store = memoryStore()
  const { directory } = await folderOf(url, renewable, confidential(honest, 'c'))
  const [login] = await findMcpRemoteLogins({ servers: [{ url, issuer: other }], directory })
  await login?.copyTo(store)
  expect(await store.list()).toEqual([`registration ${honest}`, `${url} | default`])
  expect((await store.get(`${url} | default`))?.issuer).toBe(honest)

  const moved = await folderOf(url, { ...renewable, issuer: other }, confidential(honest, 'c'))
  const another = memoryStore()
  const servers = [{ url }]
  const [unsafe] = await findMcpRemoteLogins({ servers, directory: moved.directory })
  await unsafe?.copyTo(another)
  expect(await another.list()).toEqual([`${url} | default`])
})

test('a client without a configured method authenticates with Basic', async () => {
  const world = await oauthWorld()
  const { token_endpoint_auth_method: _method, ...client } = confidential(world.issuer, 'basic')
  const { directory } = await folderOf(world.url, renewable, client)
  const store = memoryStore()
  const [login] = await findMcpRemoteLogins({ servers: [{ url: world.url }], directory })
  await login?.copyTo(store)
  expect((await store.get(`registration ${world.issuer}`))?.data['method']).toBe(
    'client_secret_basic',
  )
})

test('a login keeps the secret of its client when another user registers again', async () => {
  const world = await oauthWorld()
  const client = confidential(world.issuer, 'remote-client')
  const { directory } = await folderOf(world.url, renewable, client)
  const store = memoryStore()
  const [login] = await findMcpRemoteLogins({ servers: [{ url: world.url }], directory })
  await login?.copyTo(store)
  await store.set(`registration ${world.issuer}`, {
    version: 1,
    provider: 'registration',
    issuer: world.issuer,
    data: { clientId: 'of-another-user', clientSecret: 'another', redirectUri: '' },
  })
  const send = authorizedFetch(savedLogin(), { resource: world.url, store })
  expect((await send(world.url)).status).toBe(200)
  expect(world.tokenRequests()).toMatchObject([
    { refresh_token: 'r', client_id: 'remote-client', client_secret: 'of-the-client' },
  ])
})

test('the registration of another client of the same server is not replaced', async () => {
  const issuer = 'https://login.example.com'
  const url = 'https://mcp.example.com/mcp'
  const more = { client_secret_expires_at: 4_000_000_000 }
  const { directory } = await folderOf(url, renewable, confidential(issuer, 'second', more))
  const store = memoryStore()
  const first = {
    version: 1 as const,
    provider: 'registration',
    issuer,
    data: { clientId: 'first', clientSecret: 'of-the-first' },
  }
  await store.set(`registration ${issuer}`, first)
  const [login] = await findMcpRemoteLogins({ servers: [{ url }], directory })
  expect(await login?.copyTo(store)).toBe(true)
  expect(await store.get(`registration ${issuer}`)).toEqual(first)
  expect(await store.get(`${url} | default`)).toMatchObject({
    login: expect.any(String),
    data: {
      clientId: 'second',
      clientSecret: 'of-the-client',
      clientMethod: 'client_secret_post',
      dynamicClient: true,
      secretExpiresAt: 4_000_000_000_000,
    },
  })
})

test('a login whose client secret has expired is not reported as renewable', async () => {
  const url = 'https://mcp.example.com/mcp'
  const client = confidential('https://login.example.com', 'c', { client_secret_expires_at: 1 })
  const { directory } = await folderOf(url, renewable, client)
  const [login] = await findMcpRemoteLogins({ servers: [{ url }], directory })
  expect(login?.renewable).toBe(false)
})

test('a login whose authorization server is not recorded names the option to pass', async () => {
  const url = 'https://mcp.example.com/mcp'
  const { directory } = await folderOf(url, { access_token: 'a' }, { client_id: 'c' })
  const [login] = await findMcpRemoteLogins({ servers: [{ url }], directory })
  expect(login).toMatchObject({ renewable: false, problem: expect.stringContaining('`issuer`') })
  await expect(login?.copyTo(memoryStore())).rejects.toMatchObject({ code: 'configuration' })
  const servers = [{ url, issuer: 'https://login.example.com' }]
  const [known] = await findMcpRemoteLogins({ servers, directory })
  expect(await known?.copyTo(memoryStore())).toBe(true)
})

test('nothing is found if the folder of mcp-remote does not exist', async () => {
  const servers = [{ url: 'https://mcp.example.com/mcp' }]
  expect(await findMcpRemoteLogins({ servers, directory: '/nonexistent' })).toEqual([])
  await expect(findMcpRemoteLogins({ servers: [{ url: 'x' }] })).rejects.toThrow('pass servers')
})

test('entries of another program’s keychain service are imported in the same way', async () => {
  const store = memoryStore()
  const logins = await findKeychainLogins({
    service: 'old-agent',
    backend: {
      getPassword: async () => null,
      setPassword: () => Promise.reject(new Error('only reading was asked for')),
      deletePassword: () => Promise.reject(new Error('only reading was asked for')),
      findCredentials: async () => [
        {
          account: 'https://mcp.example.com/mcp',
          password: '{"access_token":"a","refresh_token":"r"}',
        },
        { account: 'something else', password: 'not json' },
      ],
    },
    describe: (account) =>
      URL.canParse(account)
        ? { url: account, issuer: 'https://login.example.com', clientId: 'old-agent' }
        : undefined,
  })
  expect(logins).toHaveLength(1)
  await logins[0]?.copyTo(store, { account: 'work' })
  expect(await store.get('https://mcp.example.com/mcp | work')).toMatchObject({
    issuer: 'https://login.example.com',
    data: { accessToken: 'a', refreshToken: 'r', clientId: 'old-agent' },
  })
})

/** Entries of another program's keychain service, without a keychain. */
const backendWith = (account: string) => ({
  getPassword: async () => null,
  setPassword: async () => {},
  deletePassword: async () => false,
  findCredentials: async () => [{ account, password: '{"access_token":"canary"}' }],
})
const server = 'https://mcp.example.com/mcp'
const owner = { url: server, issuer: 'https://login.example.com', clientId: 'old-agent' }
const find = (describe: () => typeof owner) =>
  findKeychainLogins({ service: 'old', backend: backendWith('x'), describe })

test.each(['default | victim', '', 'line\nbreak'])(
  'a login does not replace another one because of the account %j',
  async (account) => {
    const store = memoryStore()
    const [login] = await find(() => owner)
    await expect(login?.copyTo(store, { account })).rejects.toMatchObject({ option: 'account' })
    expect(await store.list()).toEqual([])
  },
)

test('a login is imported if the first login ended before it had a token', async () => {
  const store = memoryStore()
  const key = `${server} | default`
  const pending = { at: 1, by: 'a process that ended' }
  await store.set(key, { version: 1, provider: 'authorizationCode', pending, data: {} })
  const [login] = await find(() => owner)
  expect(await login?.copyTo(store)).toBe(true)
  expect(await store.get(key)).toMatchObject({ data: { accessToken: 'canary' } })
})

test('an entry for which `describe` returns no URL is reported', async () => {
  const [login] = await find(() => ({ ...owner, url: 'no URL' }))
  expect(login?.problem).toContain('URL')
  await expect(login?.copyTo(memoryStore())).rejects.toMatchObject({ name: 'ConfigurationError' })
})

const wrong = (value: unknown) => value as never
test.each([
  ['no servers', () => findMcpRemoteLogins(wrong({})), 'servers'],
  ['servers that are not a list', () => findMcpRemoteLogins(wrong({ servers: 5 })), 'servers'],
  ['a server that is null', () => findMcpRemoteLogins(wrong({ servers: [null] })), 'servers'],
  ['a URL as a server', () => findMcpRemoteLogins(wrong({ servers: [server] })), 'servers'],
  [
    'a folder that is not a path',
    () => findMcpRemoteLogins(wrong({ servers: [], directory: 5 })),
    'directory',
  ],
  ['no backend', () => findKeychainLogins(wrong({})), 'backend'],
  ['no service', () => findKeychainLogins(wrong({ backend: backendWith('x') })), 'service'],
  [
    'no describe',
    () => findKeychainLogins(wrong({ backend: backendWith('x'), service: 's' })),
    'describe',
  ],
])('%s is rejected, and the option is named', async (_what, search, option) => {
  await expect(search()).rejects.toMatchObject({
    name: 'ConfigurationError',
    option: expect.stringContaining(option),
  })
})
