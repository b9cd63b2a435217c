import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as keyring from '@napi-rs/keyring'
import type { CredentialRecord } from 'mcp-credentials'
import {
  type KeychainBackend,
  keychainEntry,
  keychainStore,
  napiKeyring,
} from 'mcp-credentials/keychain'
import { storeContract } from 'mcp-credentials/testing'
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  onTestFinished,
  test,
} from 'vitest'
import { fleetCases } from '../support/fleet-cases.ts'
import { scriptOutput } from '../support/script-output.ts'
import { type SecretService, startSecretService } from '../support/secret-service.ts'

const name = 'https://mcp.example.com/mcp | default'
const record: CredentialRecord = { version: 1, provider: 'test', data: { accessToken: 'a' } }
const long: CredentialRecord = {
  version: 1,
  provider: 'test',
  data: { accessToken: 'é'.repeat(2000) },
}

let directory: string
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'keychain-locks-'))
})
afterAll(() => rm(directory, { recursive: true, force: true }))

/** The processes of the keychain take the environment as it is when they start. */
function enter(env: NodeJS.ProcessEnv): () => void {
  const before = { ...process.env }
  Object.assign(process.env, env)
  return () => {
    for (const variable of Object.keys(env)) delete process.env[variable]
    Object.assign(process.env, before)
  }
}

let count = 0
const service = () => {
  count += 1
  return `mcp-credentials-test-${count}`
}

describe('a real Secret Service', () => {
  let session: SecretService
  let leave: () => void
  beforeAll(async () => {
    session = await startSecretService()
  })
  afterAll(() => session.stop())
  beforeEach(() => {
    leave = enter(session.env)
  })
  afterEach(() => leave())

  /** What another program does with keytar, in a process of its own. */
  async function keytar(call: string): Promise<string> {
    const script = `import keytar from 'keytar'; console.log(JSON.stringify(await keytar.${call}))`
    return scriptOutput(session.env, script)
  }

  const places = new WeakMap<object, string>()
  const open = (place: string) => {
    const store = keychainStore({ service: place, directory })
    places.set(store, place)
    return store
  }
  describe('the contract', () => {
    const cases = storeContract({
      open: async () => open(service()),
      reopen: async (store) => open(places.get(store) ?? ''),
    })
    for (const each of cases) test(each.name, each.run)
  })

  describe('through @napi-rs/keyring', () => {
    const place = service()
    test('records come and go, in entries that keytar does not see', async () => {
      const backend = napiKeyring(keyring)
      const napi = keychainStore({ service: place, directory, backend })
      await open(place).set(name, record)
      expect(await napi.list()).toEqual([])
      await napi.set(`${name} 2`, long)
      expect(await napi.get(`${name} 2`)).toEqual(long)
      expect(await napi.delete(`${name} 2`)).toBe(true)
      expect(await napi.get(`${name} 2`)).toBeUndefined()
    })
  })

  test('a secret of another program is read when it is needed, and read again when it has changed', async () => {
    const place = service()
    const source = keychainEntry(place, 'mcp.example.com')
    await expect(source()).rejects.toMatchObject({ code: 'secret_unavailable' })
    await keytar(`setPassword('${place}', 'mcp.example.com', 'first')`)
    expect(await source()).toBe('first')
    await keytar(`setPassword('${place}', 'mcp.example.com', 'second')`)
    expect(await source()).toBe('second')
    expect(() => keychainEntry('', 'x')).toThrow('name of the service')
  })

  test('rows 55, 60: an entry stands under the name of the application and of the server', async () => {
    const place = service()
    const store = keychainStore({ service: place, directory })
    await store.set(name, record)
    const entries = await keytar(`findCredentials('${place}')`)
    expect(JSON.parse(entries)).toContainEqual({ account: name, password: JSON.stringify(record) })
  })

  test('two applications see each other’s logins only where they name the same service', async () => {
    const [mine, theirs] = [service(), service()]
    await keychainStore({ service: mine, directory }).set(name, record)
    const other = keychainStore({ service: theirs, directory })
    expect(await other.get(name)).toBeUndefined()
    expect(await other.list()).toEqual([])
    expect(await other.delete(name)).toBe(false)
    expect(await keychainStore({ service: mine, directory }).get(name)).toEqual(record)
  })

  fleetCases(async () => {
    const options = { service: service(), directory, lockTimeout: 3 }
    return {
      setting: { store: 'keychain', options, env: session.env },
      store: keychainStore(options),
    }
  })
})

describe('a keychain that does not work', () => {
  test('locked: an error within the time that says what to do', async () => {
    const session = await startSecretService()
    onTestFinished(() => session.stop())
    const leave = enter(session.env)
    const store = keychainStore({ service: service(), directory, timeout: 2 })
    await store.set(name, record)
    await session.lock()
    const error = await store.get(name).then(
      (value) => new Error(`it was read: ${JSON.stringify(value)}`),
      (thrown: unknown) => thrown,
    )
    leave()
    expect(error).toMatchObject({ name: 'StoreError', retryable: true })
    expect(String(error)).toMatch(/locked|did not respond within 2 s/)
  })

  test('no D-Bus: an error that names the alternatives', async () => {
    const leave = enter({
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus',
      XDG_RUNTIME_DIR: '/nonexistent',
    })
    const store = keychainStore({ service: service(), directory, timeout: 5 })
    const error = await store.get(name).catch((thrown: unknown) => thrown)
    leave()
    expect(error).toMatchObject({ name: 'StoreError' })
    expect(String(error)).toMatch(/no keychain service.*encryptedFileStore/)
  })

  test('a daemon that has stopped: an error in time, and the process ends at once', async () => {
    const session = await startSecretService()
    onTestFinished(async () => {
      session.daemon.kill('SIGCONT')
      await session.stop()
    })
    session.daemon.kill('SIGSTOP')
    const script = `
      import { keychainStore } from 'mcp-credentials/keychain'
      const store = keychainStore({ service: 'stopped', timeout: 1, directory: ${JSON.stringify(directory)} })
      let turns = 0
      const timer = setInterval(() => { turns += 1 }, 20)
      const error = await store.get('x').catch((thrown) => thrown)
      clearInterval(timer)
      console.log(JSON.stringify({ name: error.name, message: error.message, turns, at: Date.now() }))
    `
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      env: session.env,
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let output = ''
    child.stdout.on('data', (chunk) => {
      output += chunk
    })
    await new Promise((resolve) => child.once('exit', resolve))
    const ended = Date.now()
    const told = JSON.parse(output) as { name: string; message: string; turns: number; at: number }
    expect(told.name).toBe('StoreError')
    expect(told.message).toContain('did not respond within 1 s')
    // The event loop went on, and nothing kept the process alive.
    expect(told.turns).toBeGreaterThan(20)
    expect(ended - told.at).toBeLessThan(10_000)
  })
})

describe('records that are split', () => {
  /** A keychain in memory that dies at a given step. */
  function backend() {
    const entries = new Map<string, string>()
    const state = { steps: 0, dieAt: Infinity }
    const step = async () => {
      state.steps += 1
      if (state.steps > state.dieAt) throw new Error('the process died')
    }
    const keychain: KeychainBackend = {
      getPassword: async (_service, account) => entries.get(account) ?? null,
      async setPassword(_service, account, password) {
        await step()
        if (password.length > 200) throw new Error('too long for this keychain')
        entries.set(account, password)
      },
      async deletePassword(_service, account) {
        await step()
        return entries.delete(account)
      },
      findCredentials: async () =>
        [...entries].map(([account, password]) => ({ account, password })),
    }
    return { entries, state, keychain }
  }
  const big = (text: string): CredentialRecord => ({
    version: 1,
    provider: 'test',
    data: { accessToken: text.repeat(900) },
  })

  test('come back whole, under one key, and leave nothing behind', async () => {
    const { entries, keychain } = backend()
    const store = keychainStore({ service: 'test', backend: keychain, maxLength: 200, directory })
    await store.set(name, big('ü'))
    expect(entries.size).toBeGreaterThan(5)
    expect(await store.get(name)).toEqual(big('ü'))
    expect(await store.list()).toEqual([name])
    await store.set(name, record)
    expect(entries.size).toBe(1)
    await store.set(name, big('b'))
    expect(await store.delete(name)).toBe(true)
    expect(entries.size).toBe(0)
  })

  test('are the old one or the new one, at whatever step the process dies', async () => {
    for (const [before, after] of [
      [big('a'), big('b')],
      [record, big('b')],
      [big('a'), record],
    ] as const) {
      for (let dieAt = 0; ; dieAt += 1) {
        const { entries, state, keychain } = backend()
        const options = { service: 'test', backend: keychain, maxLength: 200, directory }
        await keychainStore(options).set(name, before)
        state.steps = 0
        state.dieAt = dieAt
        const outcome = await keychainStore(options)
          .set(name, after)
          .then(
            () => 'written',
            () => 'died',
          )
        state.dieAt = Infinity
        const next = keychainStore(options)
        const found = await next.get(name)
        expect([before, after]).toContainEqual(found)
        if (outcome === 'written') expect(found).toEqual(after)
        // The next holder of the lock sweeps up.
        await next.lock(name, async () => {})
        const isLong = JSON.stringify(found).length > 200
        expect(entries.size).toBe(isLong ? 1 + Math.ceil(JSON.stringify(found).length / 200) : 1)
        if (outcome === 'written') break
      }
    }
  })
})

test('a backend of one’s own has the same time limit', async () => {
  const never = () => new Promise<never>(() => {})
  const backend = {
    getPassword: never,
    setPassword: never,
    deletePassword: never,
    findCredentials: never,
  }
  const store = keychainStore({ service: 'test', backend, timeout: 0.05, directory })
  await expect(store.get(name)).rejects.toThrow('did not respond within 0.05 s')
})

test('applications with different services do not wait for each other’s locks', async () => {
  const entries: never[] = []
  const backend: KeychainBackend = {
    getPassword: async () => null,
    setPassword: async () => {},
    deletePassword: async () => false,
    findCredentials: async () => entries,
  }
  const open = (place: string) =>
    keychainStore({ service: place, backend, directory, lockTimeout: 0.1 })
  await open('one').lock(name, async () => {
    expect(await open('two').lock(name, async () => 'locked')).toBe('locked')
  })
})

test.each([
  [{ service: '' }, 'service'],
  [{}, 'service'],
  [undefined, 'service'],
  [{ service: 'test', timeout: 0 }, 'timeout'],
  [{ service: 'test', maxLength: 10 }, 'maxLength'],
  [{ service: 'test', backend: {} }, 'backend'],
  [{ account: 'x' }, 'account'],
])('%j is refused at construction', (options, option) => {
  expect(() => keychainStore(options as never)).toThrow(
    expect.objectContaining({ name: 'ConfigurationError', option: `keychainStore.${option}` }),
  )
})
