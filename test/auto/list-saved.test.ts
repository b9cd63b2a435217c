import { expect, test } from 'vitest'
import { listSaved, saveKey } from '../../src/auto/index.ts'
import type { CredentialRecord, CredentialStore } from '../../src/index.ts'
import { StoreError } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const url = 'https://mcp.example.com/mcp'
const secret = 'canary'

function login(more: Partial<CredentialRecord> = {}, data: object = {}): CredentialRecord {
  const tokens = { accessToken: secret, refreshToken: secret, clientSecret: secret }
  return {
    version: 1,
    provider: 'authorizationCode',
    issuer: 'https://login.example.com',
    obtainedAt: 1000,
    expiresAt: 5000,
    data: { ...tokens, clientId: 'agent', scope: 'read write', ...data },
    ...more,
  }
}

async function filled(records: Readonly<Record<string, CredentialRecord>>) {
  const store = memoryStore()
  for (const [key, record] of Object.entries(records)) await store.set(key, record)
  return store
}

test('a login is listed with all that is no secret', async () => {
  const store = await filled({ [`${url} | default`]: login() })
  const saved = await listSaved(store)
  expect(saved).toEqual([
    {
      key: `${url} | default`,
      resource: url,
      url,
      account: 'default',
      kind: 'login',
      provider: 'authorizationCode',
      issuer: 'https://login.example.com',
      clientId: 'agent',
      scopes: ['read', 'write'],
      obtainedAt: 1000,
      expiresAt: 5000,
      renewable: true,
    },
  ])
  expect(JSON.stringify(saved)).not.toContain(secret)
})

test('accounts and tenants are told apart', async () => {
  const store = await filled({
    [`${url} | work`]: login(),
    [`${url} | work | acme%20%7C%20co`]: login(),
  })
  expect(await listSaved(store)).toMatchObject([
    { account: 'work' },
    { account: 'work', tenant: 'acme | co' },
  ])
})

test.each([
  ['apiKey', { type: 'apiKey', value: secret }, 'API key'],
  ['bearer', { type: 'bearer', token: secret }, 'bearer token'],
  ['basic', { type: 'basic', username: 'me', password: secret }, 'password'],
  ['headers', { type: 'headers', headers: { 'X-A': secret } }, 'headers'],
  ['hmac', { type: 'hmac', secret }, 'HMAC key'],
  ['jwt', { type: 'jwt', algorithm: 'HS256', secret: secret.repeat(10) }, 'JWT key'],
] as const)(
  'a stored key of type %s is listed by its kind, without its value',
  async (_type, key, kind) => {
    const store = memoryStore()
    await saveKey(store, { resource: url, key })
    const saved = await listSaved(store)
    expect(saved).toMatchObject([{ kind, provider: 'storedKey', renewable: false, scopes: [] }])
    expect(JSON.stringify(saved)).not.toContain(secret)
  },
)

test('a bearer token that is a JWT is listed with its end, also when that has passed', async () => {
  const store = memoryStore()
  const payload = btoa(JSON.stringify({ exp: 1000 })).replace(/=+$/, '')
  await saveKey(store, { resource: url, key: { type: 'bearer', token: `e30.${payload}.AAAA` } })
  expect(await listSaved(store)).toMatchObject([{ expiresAt: 1_000_000 }])
})

test('a login without a refresh token, and one that was refused, cannot be renewed', async () => {
  const store = await filled({
    [`${url}/a | default`]: login({}, { refreshToken: undefined }),
    [`${url}/b | default`]: login({ refused: true }),
    [`${url}/c | default`]: login({ provider: 'clientCredentials' }, { refreshToken: undefined }),
  })
  const [bare, refused, client] = await listSaved(store)
  expect(bare).toMatchObject({ renewable: false })
  expect(bare).not.toHaveProperty('problem')
  expect(refused).toMatchObject({ renewable: false, problem: expect.stringContaining('refused') })
  expect(client).toMatchObject({ kind: 'client credentials', renewable: true })
})

test('what is no credential is left out', async () => {
  const other = { version: 1, provider: 'registration', data: { clientId: 'agent' } } as const
  const store = await filled({
    'registration https://login.example.com': other,
    [`finished logins | ${url} | default`]: other,
    'trusted configs': other,
    'trusted config | /home/me/.mcp.json': other,
    [`${url} | begun`]: { version: 1, provider: 'authorizationCode', data: {} },
  })
  expect(await listSaved(store)).toEqual([])
})

test('a record that cannot be read is listed with its problem, beside the others', async () => {
  const store = await filled({ [`${url}/a | default`]: login(), [`${url}/b | default`]: login() })
  const damaged: CredentialStore = {
    ...store,
    async get(key) {
      if (key.includes('/b')) return store.get(key)
      throw new StoreError('get', 'The record is damaged.', { reason: 'unusable_record' })
    },
  }
  expect(await listSaved(damaged)).toMatchObject([
    { kind: 'unknown', provider: '', problem: 'The record is damaged.' },
    { kind: 'login' },
  ])
})

test('a store that cannot be read is no empty store', async () => {
  const store = await filled({ [`${url} | default`]: login() })
  const failing = { ...store, get: () => Promise.reject(new StoreError('get', 'Locked.')) }
  await expect(listSaved(failing)).rejects.toThrow('Locked.')
})

test('the path of a capability URL is shortened where it is shown', async () => {
  const path = 'a8Kd0sLq29dkXm3nVb72hQwZ'
  const store = await filled({ [`https://mcp.example.com/${path} | default`]: login() })
  const [saved] = await listSaved(store)
  expect(saved?.resource).toBe('https://mcp.example.com/a8Kd…')
  expect(saved?.url).toContain(path)
})

test('what a server wrote cannot act on a terminal', async () => {
  const evil = '\u001b[31mred\u202e'
  const store = await filled({
    [`${url} | default`]: login({ issuer: evil }, { clientId: evil, scope: evil }),
  })
  expect(JSON.stringify(await listSaved(store))).not.toMatch(/\\u001b|\u202e/)
})
