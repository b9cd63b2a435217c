import { afterEach, describe, expect, test, vi } from 'vitest'
import type { Choice, Sources, Unavailable } from '../../src/auto/choice.ts'
import { configSource, type ReadConfig } from '../../src/auto/config-source.ts'
import { auto, saveKey } from '../../src/auto/index.ts'
import { autoProvider } from '../../src/auto/provider.ts'
import {
  apiKey,
  authorizedFetch,
  type CredentialError,
  CredentialError as CredentialErrorClass,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialStore,
  headers,
  perTenant,
  rotating,
  StoreError,
} from '../../src/index.ts'
import { authorizationCode, clientCredentials, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'
import {
  recordingOrigin,
  type SeenRequest,
  wantsHeader,
  withCanaries,
} from '../support/recording-origin.ts'

afterEach(() => vi.unstubAllEnvs())

const fromConfig = (value = 'canary-config') => apiKey({ value, header: 'X-From' })
const storedKey = { type: 'apiKey', header: 'X-From', value: 'canary-stored' } as const

interface Situation {
  /** The entries of the config, by their URL; a function is asked each time. */
  readonly entries?: Readonly<Record<string, CredentialProvider>>
  readonly workload?: CredentialProvider
  readonly login?: CredentialProvider
  readonly interactive?: boolean
  readonly store?: CredentialStore
  readonly status?: (request: SeenRequest) => number
}

/** A provider of injected sources, and a server that records what reaches it. */
async function setUp(situation: Situation = {}) {
  const { status = () => 200, interactive = false, store = memoryStore() } = situation
  const origin = await recordingOrigin((request, response) => {
    response.writeHead(status(request)).end('{}')
  })
  const resource = `${origin.origin}/mcp`
  const found = (
    provider: CredentialProvider | undefined,
    source: Choice['source'],
  ): Choice | Unavailable =>
    provider === undefined ? { reason: 'none' } : { source, detail: `the ${source}`, provider }
  const asked = { config: 0, login: 0 }
  const now = { ...situation }
  const sources: Sources = {
    saved: savedLogin(),
    async config(url) {
      asked.config += 1
      return {
        entry: found(now.entries?.[url.pathname], 'config'),
        workload: found(now.workload, 'workload'),
      }
    },
    async login() {
      asked.login += 1
      return found(now.login, 'login')
    },
  }
  const provider = autoProvider(sources, store, { interactive })
  const events: CredentialEvent[] = []
  const client = (options: object = {}) =>
    authorizedFetch(provider, { resource, onEvent: (event) => events.push(event), ...options })
  const chosen = () =>
    events.flatMap((event) => (event.type === 'source_chosen' ? [event.source] : []))
  const sent = () => origin.requests.map((request) => request.headers['x-from'])
  return { origin, resource, store, provider, client, chosen, events, sent, asked, now }
}

const workload = () => headers({ 'X-From': 'canary-workload' })
const login = () => headers({ 'X-From': 'canary-login' })

describe('the order in which auto() looks', () => {
  test('the entry of the config comes before a stored key', async () => {
    const { resource, store, client, sent, chosen } = await setUp({
      entries: { '/mcp': fromConfig() },
      workload: workload(),
    })
    await saveKey(store, { resource, key: storedKey })
    await client()(resource)
    expect(sent()).toEqual(['canary-config'])
    expect(chosen()).toEqual(['config'])
  })

  test('a stored key comes before the identity of the workload', async () => {
    const { resource, store, client, sent, chosen } = await setUp({ workload: workload() })
    await saveKey(store, { resource, key: storedKey })
    await client()(resource)
    expect(sent()).toEqual(['canary-stored'])
    expect(chosen()).toEqual(['stored'])
  })

  test('the identity of the workload comes before a login', async () => {
    const { resource, client, sent, chosen, asked } = await setUp({
      workload: workload(),
      login: login(),
    })
    await client()(resource)
    expect(sent()).toEqual(['canary-workload'])
    expect(chosen()).toEqual(['workload'])
    expect(asked.login).toBe(0)
  })

  test('a person is asked last', async () => {
    const { resource, client, sent, chosen } = await setUp({ login: login(), interactive: true })
    await client()(resource)
    expect(sent()).toEqual(['canary-login'])
    expect(chosen()).toEqual(['login'])
  })

  test('where there is nothing, one error lists what was tried, and the command to type', async () => {
    const { origin, resource, client } = await setUp({ status: () => 401 })
    const error = (await client()(resource).catch((thrown: unknown) => thrown)) as CredentialError
    expect(error).toMatchObject({
      code: 'login_required',
      reason: 'no_credential',
      remedy: expect.stringContaining(`\`npx mcp-credentials login ${resource}\``),
    })
    expect(error.message).toContain('config files (none)')
    expect(error.message).toContain('the store (nothing')
    expect(error.message).toContain('the identity of this workload (none)')
    expect(error.message).toContain('a login (none)')
    expect(origin.requests).toHaveLength(1)
  })
})

describe('what auto() sends', () => {
  test('goes to no other path of the same origin', async () => {
    const { origin, resource, store, client } = await setUp({
      entries: { '/mcp': fromConfig() },
      status: ({ url }) => (url === '/hostile' ? 401 : 200),
    })
    await saveKey(store, { resource, key: storedKey })
    const hostile = `${origin.origin}/hostile`
    await expect(client({ resource: hostile })(hostile)).rejects.toMatchObject({
      code: 'login_required',
    })
    expect(origin.requests).toHaveLength(1)
    expect(withCanaries(origin.requests)).toEqual([])
  })

  test('is that of nobody else when the one that was chosen fails', async () => {
    const failing: CredentialProvider = {
      name: 'failing',
      acquire: async () => {
        throw new CredentialErrorClass('secret_unavailable', 'The variable X is not set.')
      },
    }
    const { origin, resource, store, client } = await setUp({
      entries: { '/mcp': failing },
      workload: workload(),
      login: login(),
      interactive: true,
    })
    await saveKey(store, { resource, key: storedKey })
    await expect(client()(resource)).rejects.toThrow('The variable X is not set.')
    expect(origin.requests).toEqual([])
  })

  test('is that of nobody else when the server refuses a stored key', async () => {
    const { resource, store, client, sent } = await setUp({
      workload: workload(),
      status: () => 401,
    })
    await saveKey(store, { resource, key: storedKey })
    await expect(client()(resource)).rejects.toMatchObject({ reason: 'key_rejected' })
    expect(sent()).toEqual(['canary-stored'])
  })

  test('is that of nobody else when the config is broken', async () => {
    const { origin, resource, store, provider } = await setUp()
    await saveKey(store, { resource, key: storedKey })
    const broken: Sources['config'] = async () => {
      throw new CredentialErrorClass('configuration', 'mcp.json:3:7: expected a comma.')
    }
    const sources = { config: broken, saved: savedLogin(), login: async () => ({ reason: '' }) }
    const fetch = authorizedFetch(autoProvider(sources, store), { resource })
    await expect(fetch(resource)).rejects.toThrow('expected a comma')
    expect(origin.requests).toEqual([])
    expect(provider.chosen(resource)).toBeUndefined()
  })

  test('is found once for requests that are made at the same time', async () => {
    const { resource, client, sent, asked, chosen } = await setUp({
      entries: { '/mcp': fromConfig() },
    })
    const fetch = client()
    await Promise.all([fetch(resource), fetch(resource), client({ account: 'b' })(resource)])
    expect(sent()).toEqual(Array(3).fill('canary-config'))
    expect(asked.config).toBe(1)
    expect(chosen()).toEqual(['config'])
  })
})

describe('the choice of auto()', () => {
  test('is named by `chosen`, in words without a secret', async () => {
    const { resource, store, client, provider } = await setUp()
    expect(provider.chosen(resource)).toBeUndefined()
    await saveKey(store, { resource, key: storedKey })
    await client()(resource)
    expect(provider.chosen(resource)).toEqual({ source: 'stored', detail: 'a stored API key' })
    expect(provider.chosen(new URL('/other', resource))).toBeUndefined()
  })

  test('is made anew after a logout', async () => {
    const { resource, client, sent, chosen, now } = await setUp({
      entries: { '/mcp': fromConfig() },
    })
    const fetch = client()
    await fetch(resource)
    now.entries = { '/mcp': fromConfig('canary-new') }
    await fetch(resource)
    await fetch.logout()
    await fetch(resource)
    expect(sent()).toEqual(['canary-config', 'canary-config', 'canary-new'])
    expect(chosen()).toEqual(['config', 'config'])
  })

  test('is made anew when the stored key is gone', async () => {
    const { resource, store, client, sent, chosen } = await setUp({
      workload: workload(),
      status: ({ headers: { 'x-from': from } }) => (from === 'canary-stored' ? 401 : 200),
    })
    await saveKey(store, { resource, key: storedKey })
    const fetch = client()
    await fetch.login()
    await store.delete(`${resource} | default`)
    expect((await fetch(resource)).status).toBe(200)
    expect(sent()).toEqual(['canary-stored', 'canary-workload'])
    expect(chosen()).toEqual(['stored', 'workload'])
  })

  test('is made anew when something is stored after there was nothing', async () => {
    const { resource, store, client, sent } = await setUp({
      status: ({ headers }) => (headers['x-from'] === undefined ? 401 : 200),
    })
    const fetch = client()
    await expect(fetch(resource)).rejects.toMatchObject({ code: 'login_required' })
    await saveKey(store, { resource, key: storedKey })
    await fetch.login()
    await fetch(resource)
    expect(sent()).toEqual([undefined, 'canary-stored'])
  })

  test('is made anew when the chosen one has failed and the config was corrected', async () => {
    const failing: CredentialProvider = {
      name: 'failing',
      acquire: () => Promise.reject(new CredentialErrorClass('acquire_failed', 'No.')),
    }
    const { resource, client, now, sent } = await setUp({ entries: { '/mcp': failing } })
    const fetch = client()
    await expect(fetch(resource)).rejects.toThrow('No.')
    now.entries = { '/mcp': fromConfig() }
    await fetch.login()
    await fetch(resource)
    expect(sent()).toEqual(['canary-config'])
  })
})

describe('a config entry whose credential is not stored', () => {
  test('does not touch the store of auto()', async () => {
    const fail = async () => {
      throw new StoreError('get', 'The keychain is locked.')
    }
    const store = { get: fail, set: fail, delete: fail, list: fail, lock: fail }
    const { resource, client, sent } = await setUp({ entries: { '/mcp': fromConfig() }, store })
    const fetch = client()
    await fetch(resource)
    await fetch.logout()
    expect(sent()).toEqual(['canary-config'])
  })

  test.each(['its own', 'a given'])(
    'leaves a key in %s store alone until a logout',
    async (which) => {
      const { resource, store, client, sent } = await setUp({ entries: { '/mcp': fromConfig() } })
      await saveKey(store, { resource, key: storedKey })
      const fetch = client(which === 'its own' ? {} : { store })
      await fetch(resource)
      await fetch.manager.renew()
      await fetch(resource)
      expect(sent()).toEqual(['canary-config', 'canary-config'])
      expect(await store.get(`${resource} | default`)).toMatchObject({ provider: 'storedKey' })
    },
  )

  test('goes through its alternatives although a key is stored in a given store', async () => {
    const { resource, store, client, sent } = await setUp({
      entries: { '/mcp': rotating([fromConfig('canary-old'), fromConfig('canary-next')]) },
      status: ({ headers: { 'x-from': from } }) => (from === 'canary-next' ? 200 : 401),
    })
    await saveKey(store, { resource, key: storedKey })
    expect((await client({ store })(resource)).status).toBe(200)
    expect(sent()).toEqual(['canary-old', 'canary-next'])
  })
})

describe('auto() with OAuth', () => {
  const hour = 3_600_000
  const rotation = (_params: URLSearchParams, count: number) => ({
    body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
  })

  async function world() {
    const oauth = await oauthWorld({ token: rotation })
    const store = memoryStore()
    const clock = testClock()
    const options = { resource: oauth.url, store, now: clock.now, random: () => 0 }
    const sources = (more: Partial<Sources> = {}): Sources => ({
      saved: savedLogin(),
      config: async () => ({ entry: { reason: 'none' }, workload: { reason: 'none' } }),
      login: async () => ({ reason: 'not allowed' }),
      ...more,
    })
    const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
    const logIn = () => authorizedFetch(authorizationCode(browser), options).login()
    return { oauth, store, clock, options, sources, browser, logIn }
  }

  test('renews a stored login, keeps it, and revokes it at a logout', async () => {
    const { oauth, store, clock, options, sources, logIn } = await world()
    await logIn()
    const fetch = authorizedFetch(autoProvider(sources(), store), options)
    expect((await fetch(oauth.url)).status).toBe(200)
    clock.advance(2 * hour)
    expect((await fetch(oauth.url)).status).toBe(200)
    const record = await store.get(`${oauth.url} | default`)
    expect(record).toMatchObject({ data: { refreshToken: 'refresh-2' } })
    await fetch.logout()
    expect(await store.get(`${oauth.url} | default`)).toBeUndefined()
  })

  test('goes on with the login of a person whom it has asked', async () => {
    const { oauth, store, clock, options, sources, browser } = await world()
    let logins = 0
    const counted = {
      onAuthorizationUrl: (url: URL) => {
        logins += 1
        return browser.onAuthorizationUrl(url)
      },
    }
    const provider = authorizationCode(counted)
    const login: Sources['login'] = async () => ({ source: 'login', detail: 'x', provider })
    const make = () => autoProvider(sources({ login }), store, { interactive: true })
    const fetch = authorizedFetch(make(), options)
    expect((await fetch(oauth.url)).status).toBe(200)
    clock.advance(2 * hour)
    expect((await fetch(oauth.url)).status).toBe(200)
    const later = authorizedFetch(make(), options)
    expect((await later(oauth.url)).status).toBe(200)
    expect(logins).toBe(1)
  })

  test('asks no person through the config when it is not interactive, not even for login()', async () => {
    const { oauth, store, options, sources } = await world()
    const onAuthorizationUrl = vi.fn()
    const provider = authorizationCode({ onAuthorizationUrl })
    const entry = { source: 'config', detail: 'x', provider } as const
    const config: Sources['config'] = async () => ({ entry, workload: { reason: '' } })
    const fetch = authorizedFetch(autoProvider(sources({ config }), store), options)
    await expect(fetch.login()).rejects.toMatchObject({ code: 'login_required' })
    await expect(fetch(oauth.url)).rejects.toMatchObject({ code: 'login_required' })
    expect(onAuthorizationUrl).not.toHaveBeenCalled()
  })

  test('stores what the config gets by a grant, and renews it there', async () => {
    const { oauth, store, options, sources } = await world()
    const { issuer } = oauth
    const provider = clientCredentials({ clientId: 'job', clientSecret: 'canary', issuer })
    const entry = { source: 'config', detail: 'x', provider } as const
    const config: Sources['config'] = async () => ({ entry, workload: { reason: '' } })
    const make = () => authorizedFetch(autoProvider(sources({ config }), store), options)
    expect((await make()(oauth.url)).status).toBe(200)
    expect(await store.get(`${oauth.url} | default`)).toMatchObject({
      provider: 'clientCredentials',
    })
    const tokens = oauth.tokenRequests().length
    expect((await make()(oauth.url)).status).toBe(200)
    expect(oauth.tokenRequests()).toHaveLength(tokens)
  })

  test('leaves the login of a person alone where the config has a grant of its own', async () => {
    const { oauth, store, options, sources, logIn } = await world()
    await logIn()
    const { issuer } = oauth
    const provider = clientCredentials({ clientId: 'job', clientSecret: 'canary', issuer })
    const entry = { source: 'config', detail: 'x', provider } as const
    const config: Sources['config'] = async () => ({ entry, workload: { reason: '' } })
    const before = await store.get(`${oauth.url} | default`)
    const fetch = authorizedFetch(autoProvider(sources({ config }), store), options)
    expect((await fetch(oauth.url)).status).toBe(200)
    await fetch.manager.renew()
    expect(await store.get(`${oauth.url} | default`)).toEqual(before)
  })
})

describe('the config as a source', () => {
  const resource = new URL('https://crm.example.com/mcp')
  const entry = { name: 'crm', file: '/work/.mcp.json', isTrusted: true, usesSavedLogin: false }

  async function source(credentials: ReadConfig['credentials'], more: object = {}) {
    const read: ReadConfig = {
      find: ({ href }) => (href === resource.href ? { ...entry, ...more } : undefined),
      credentials,
    }
    const options = { config: undefined, environment: undefined, store: memoryStore() }
    return configSource(options, async () => read)
  }

  test('names the entry and its file', async () => {
    const find = await source(() => fromConfig())
    expect(await find(resource)).toMatchObject({
      entry: { source: 'config', detail: 'the entry `crm` of /work/.mcp.json' },
    })
    expect(await find(new URL('https://crm.example.com/other'))).toMatchObject({
      entry: { reason: 'they have no entry for it' },
    })
  })

  test('has nothing where the entry has only a URL', async () => {
    const find = await source(() => ({ ...savedLogin(), discovers: true }))
    expect(await find(resource)).toMatchObject({
      entry: { reason: expect.stringContaining('defines no credential') },
    })
  })

  test('needs no trust for an entry that has only a URL', async () => {
    const refuse = () => {
      throw new Error('not trusted')
    }
    const bare = await source(refuse, { isTrusted: false, usesSavedLogin: true })
    expect(await bare(resource)).toMatchObject({ entry: { reason: expect.anything() } })
    const other = await source(refuse, { isTrusted: false })
    await expect(other(resource)).rejects.toThrow('not trusted')
  })

  test('says what to do about an entry with tenants', async () => {
    const find = await source(() =>
      perTenant(
        () => 'acme',
        () => fromConfig(),
      ),
    )
    await expect(find(resource)).rejects.toMatchObject({
      code: 'configuration',
      option: 'tenants',
      remedy: expect.stringContaining("config.connect('crm', client)"),
    })
  })

  test('offers a workload identity only where the environment announces one', async () => {
    const provider = { ...fromConfig(), announced: async () => 'GitHub Actions' }
    const find = await source(() => provider)
    expect(await find(resource)).toMatchObject({
      entry: { reason: expect.anything() },
      workload: { source: 'workload', detail: expect.stringContaining('GitHub Actions') },
    })
    const silent = await source(() => ({ ...provider, announced: async () => undefined }))
    expect(await silent(resource)).toMatchObject({ workload: { reason: expect.anything() } })
  })
})

describe('the options of auto()', () => {
  const resource = 'https://mcp.example.com/mcp'

  test('an account is that of the records where the manager has none of its own', async () => {
    const store = memoryStore()
    const options = { config: false, store, account: 'work' } as const
    await saveKey(store, { resource, account: 'work', key: storedKey })
    const fetch = authorizedFetch(auto(options), { resource })
    await expect(fetch.login()).resolves.toBeDefined()
    await fetch.logout()
    expect(await store.list()).toEqual([])
  })

  test('nobody is asked to log in without a terminal', async () => {
    vi.stubEnv('CI', 'true')
    const options = { config: false, store: memoryStore(), interactive: true } as const
    await expect(authorizedFetch(auto(options), { resource }).login()).rejects.toMatchObject({
      code: 'login_required',
      message: expect.stringContaining('there is no terminal'),
    })
  })

  test('a token of the environment is sent nowhere that the config does not name', async () => {
    for (const name of ['MCP_TOKEN', 'MCP_API_KEY', 'MCP_CREDENTIALS_TOKEN', 'TOKEN']) {
      vi.stubEnv(name, 'canary')
    }
    vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_URL', 'https://actions.example.com/token')
    vi.stubEnv('ACTIONS_ID_TOKEN_REQUEST_TOKEN', 'canary')
    const origin = await recordingOrigin(wantsHeader('authorization'))
    const place = `${origin.origin}/mcp`
    const provider = auto({ config: false, store: memoryStore() })
    await expect(authorizedFetch(provider, { resource: place })(place)).rejects.toMatchObject({
      code: 'login_required',
    })
    expect(origin.requests).toHaveLength(1)
    expect(withCanaries(origin.requests)).toEqual([])
  })

  test.each([
    ['config', 1],
    ['environment', ''],
    ['account', 'a|b'],
    ['interactive', 'yes'],
    ['token', 'x'],
  ])('a wrong %s is refused', (option, value) => {
    expect(() => auto({ [option]: value })).toThrow(
      expect.objectContaining({ code: 'configuration', option: `auto.${option}` }),
    )
  })
})
