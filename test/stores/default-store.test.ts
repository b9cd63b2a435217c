import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type DefaultStoreOptions, defaultStore } from '../../src/auto/index.ts'
import { type CredentialRecord, StoreError } from '../../src/index.ts'
import type { KeychainBackend } from '../../src/stores/keychain.ts'

const key = 'https://mcp.example.com/mcp | default'
const record: CredentialRecord = { version: 1, provider: 'test', data: { token: 'canary-token' } }
const ownKey = randomBytes(32).toString('base64')

let parent: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'default-store-'))
  for (const name of ['STORE', 'KEY', 'KEY_FILE']) vi.stubEnv(`MCP_CREDENTIALS_${name}`, undefined)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await rm(parent, { recursive: true, force: true })
})

const data = () => join(parent, 'data')
const keyFile = () => join(parent, 'config', 'keys', 'store.key')

/** A keychain in memory that counts its calls. */
function fakeKeychain(failure?: () => Error | undefined) {
  const entries = new Map<string, string>()
  let calls = 0
  const call =
    <T>(task: () => T) =>
    async () => {
      calls += 1
      const error = failure?.()
      if (error !== undefined) throw error
      return task()
    }
  const backend: KeychainBackend = {
    getPassword: (_service, account) => call(() => entries.get(account) ?? null)(),
    setPassword: (_service, account, text) => call(() => void entries.set(account, text))(),
    deletePassword: (_service, account) => call(() => entries.delete(account))(),
    findCredentials: () =>
      call(() => [...entries].map(([account, password]) => ({ account, password })))(),
  }
  return { backend, entries, calls: () => calls }
}

const noKeychain = () => new Error('Cannot autolaunch D-Bus without X11 $DISPLAY')
const locked = () => new Error('The keychain is locked')

/** A store that reads the saved choice again, like the store of another process. */
function open(backend: KeychainBackend, options: DefaultStoreOptions = {}) {
  const keyDirectory = join(parent, 'config', 'keys')
  return defaultStore({ directory: data(), keyDirectory, backend, ...options })
}

const withoutKeychain = () => open(fakeKeychain(noKeychain).backend)

/** All files below the folder of the test. */
async function written(): Promise<string> {
  const names = await readdir(parent, { recursive: true })
  const read = (name: string) => readFile(join(parent, name), 'utf8').catch(() => '')
  return (await Promise.all(names.map(read))).join('\n')
}

describe('defaultStore', () => {
  test('uses the keychain if there is one, and writes no record to a file', async () => {
    const { backend, entries } = fakeKeychain()
    const store = open(backend)
    await store.set(key, record)
    expect([...entries.keys()]).toEqual([key])
    expect(await written()).not.toContain('canary')
    expect(await store.where()).toEqual({
      kind: 'keychain',
      description: 'The keychain of this user, under the name mcp-credentials.',
      reason: 'this machine has a keychain',
    })
  })

  test('uses encrypted files if there is no keychain, and says what protects them', async () => {
    const store = withoutKeychain()
    await store.set(key, record)
    expect(await store.get(key)).toEqual(record)
    expect(await written()).not.toContain('canary')
    const { kind, description, reason } = await store.where()
    expect(kind).toBe('file')
    expect(description).toContain(keyFile())
    expect(description).toContain('not from programs that run as this user')
    expect(reason).toContain('there is no keychain')
  })

  test('checks once whether there is a keychain', async () => {
    const { backend, calls } = fakeKeychain(noKeychain)
    const store = open(backend)
    await Promise.all([store.get(key), store.list(), store.where()])
    await store.get(key)
    expect(calls()).toBe(1)
  })

  test('does not treat a locked keychain as a missing one', async () => {
    let failure: Error | undefined = locked()
    const { backend, entries } = fakeKeychain(() => failure)
    const store = open(backend)
    await expect(store.set(key, record)).rejects.toMatchObject({
      code: 'store',
      message: expect.stringContaining('The keychain is locked'),
      remedy: expect.stringContaining('MCP_CREDENTIALS_STORE=file'),
    })
    expect(await readdir(parent)).toEqual([])
    failure = undefined
    await store.set(key, record)
    expect(entries.has(key)).toBe(true)
  })

  test('does not treat an unresponsive keychain as a missing one', async () => {
    const backend = { ...fakeKeychain().backend, getPassword: () => new Promise<null>(() => {}) }
    const store = open(backend, { timeout: 0.01 })
    await expect(store.get(key)).rejects.toThrow('The keychain did not respond within 0.01 s')
    expect(await readdir(parent)).toEqual([])
  })

  test('only reads if nothing is stored yet, and saves no choice', async () => {
    await withoutKeychain().get(key)
    const { backend } = fakeKeychain()
    expect(await open(backend).where()).toMatchObject({ kind: 'keychain' })
  })

  test('keeps using files when a keychain becomes available later', async () => {
    await withoutKeychain().set(key, record)
    const { backend, calls } = fakeKeychain()
    const later = open(backend)
    expect(await later.get(key)).toEqual(record)
    expect(calls()).toBe(0)
    expect((await later.where()).reason).toContain('store-choice.json')
  })

  test('throws an error if the chosen keychain is gone, and stores nothing elsewhere', async () => {
    await open(fakeKeychain().backend).set(key, record)
    const later = withoutKeychain()
    await expect(later.get(key)).rejects.toMatchObject({
      code: 'store',
      reason: 'no_keychain',
      message: expect.stringContaining('it was chosen when the first credential was stored'),
    })
    await expect(later.set(key, record)).rejects.toMatchObject({ reason: 'no_keychain' })
    expect(await readdir(data())).not.toContain('records')
  })

  test.each(['file', 'keychain'])('uses the kind %s from MCP_CREDENTIALS_STORE', async (kind) => {
    const [first, second] = [fakeKeychain(), fakeKeychain()]
    await (kind === 'file' ? open(first.backend) : withoutKeychain()).set(key, record)
    vi.stubEnv('MCP_CREDENTIALS_STORE', kind)
    const store = open(second.backend)
    expect(await store.where()).toMatchObject({
      kind,
      reason: 'it is set by MCP_CREDENTIALS_STORE',
    })
    expect(await store.get(key)).toBeUndefined()
  })

  test('without the variable, finds what the first process stored with it', async () => {
    vi.stubEnv('MCP_CREDENTIALS_STORE', 'file')
    await open(fakeKeychain().backend).set(key, record)
    vi.stubEnv('MCP_CREDENTIALS_STORE', undefined)
    expect(await open(fakeKeychain().backend).get(key)).toEqual(record)
  })

  test.each([
    ['MCP_CREDENTIALS_STORE', 'plain', 'must be `keychain` or `file`'],
    ['MCP_CREDENTIALS_KEY', 'canary-short', '32 random bytes'],
  ])('rejects a wrong %s without quoting it', (variable, value, text) => {
    vi.stubEnv(variable, value)
    const make = () => defaultStore()
    expect(make).toThrow(expect.objectContaining({ code: 'configuration', option: variable }))
    expect(make).toThrow(text)
    expect(make).not.toThrow('canary')
  })

  test('rejects two keys, and an unknown option', () => {
    expect(() => defaultStore({ place: 'x' } as never)).toThrow('there is no option `place`')
    vi.stubEnv('MCP_CREDENTIALS_KEY', ownKey)
    vi.stubEnv('MCP_CREDENTIALS_KEY_FILE', '/x')
    expect(() => defaultStore()).toThrow('not both')
  })

  test('is the same store for all callers without options in a process', () => {
    expect(defaultStore()).toBe(defaultStore())
  })

  test('names the file if the saved choice cannot be read', async () => {
    await mkdir(data(), { mode: 0o700 })
    await writeFile(join(data(), 'store-choice.json'), '{"kind":"pl')
    await expect(withoutKeychain().get(key)).rejects.toThrow(/store-choice\.json.*cannot be read/)
  })
})

describe('the key of the files', () => {
  test('is generated once in another folder, for this user alone', async () => {
    const store = withoutKeychain()
    await store.set(key, record)
    const made = await readFile(keyFile(), 'utf8')
    expect((await stat(keyFile())).mode & 0o777).toBe(0o600)
    expect((await stat(join(parent, 'config', 'keys'))).mode & 0o777).toBe(0o700)
    await withoutKeychain().set(`${key} 2`, record)
    expect(await readFile(keyFile(), 'utf8')).toBe(made)
    expect(await withoutKeychain().get(key)).toEqual(record)
  })

  test('is the same for all processes that start at the same time', async () => {
    const keys = Array.from({ length: 8 }, (_, index) => `${key} ${index}`)
    await Promise.all(keys.map((each) => withoutKeychain().set(each, record)))
    const store = withoutKeychain()
    const read = await Promise.all(keys.map((each) => store.get(each)))
    expect(read).toEqual(keys.map(() => record))
  })

  test('is generated again after a process that ended while it wrote the key', async () => {
    const directory = join(parent, 'config', 'keys')
    await mkdir(directory, { recursive: true, mode: 0o700 })
    const half = join(directory, 'store.key.1763000000000-0b5b2ba0-0000-4000-8000-000000000000.tmp')
    await writeFile(half, 'half a k', { mode: 0o600 })
    await withoutKeychain().set(key, record)
    expect(await readdir(directory)).toEqual(['store.key'])
    expect(await withoutKeychain().get(key)).toEqual(record)
  })

  test('is not generated beside records that it could not read', async () => {
    await withoutKeychain().set(key, record)
    await rm(keyFile())
    const store = withoutKeychain()
    await expect(store.get(key)).rejects.toThrow('encrypted with a key that no longer exists')
    await expect(store.set(`${key} 2`, record)).rejects.toThrow('MCP_CREDENTIALS_KEY')
  })

  test('comes from MCP_CREDENTIALS_KEY, and none is generated then', async () => {
    vi.stubEnv('MCP_CREDENTIALS_KEY', `${ownKey}\n`)
    const store = withoutKeychain()
    await store.set(key, record)
    expect(await withoutKeychain().get(key)).toEqual(record)
    expect(await readdir(parent)).toEqual(['data'])
    expect((await store.where()).description).toMatch(/their key is in MCP_CREDENTIALS_KEY\.$/)
  })

  test('that was generated still reads older records when another key is set', async () => {
    await withoutKeychain().set(key, record)
    vi.stubEnv('MCP_CREDENTIALS_KEY', ownKey)
    const store = withoutKeychain()
    expect(await store.get(key)).toEqual(record)
    await store.set(`${key} 2`, record)
    vi.stubEnv('MCP_CREDENTIALS_KEY', undefined)
    await expect(withoutKeychain().get(`${key} 2`)).rejects.toMatchObject({
      reason: 'unusable_record',
    })
  })

  type Case = readonly [what: string, open: (path: string) => Promise<void>]
  const ofOthers: readonly Case[] = [
    ['a file of another user', (path) => chown(path, 65_534, 65_534)],
    [
      'a file that another group can write',
      async (path) => {
        await chown(path, 0, 65_534)
        await chmod(path, 0o660)
      },
    ],
  ]
  test.each<Case>([
    ['a file that everyone can write', (path) => chmod(path, 0o666)],
    ['a file in a folder that everyone can write', (path) => chmod(dirname(path), 0o777)],
    ...(process.getuid?.() === 0 ? ofOthers : []),
  ])('is not read from %s', async (_what, open) => {
    const path = join(parent, 'folder', 'given.key')
    await mkdir(dirname(path))
    await writeFile(path, ownKey)
    await open(path)
    vi.stubEnv('MCP_CREDENTIALS_KEY_FILE', path)
    await expect(withoutKeychain().set(key, record)).rejects.toMatchObject({
      code: 'store',
      message: expect.stringContaining('Other users can change the key file'),
      remedy: expect.stringContaining('chmod go-w'),
    })
  })

  test('is not read from a named pipe', async () => {
    const path = join(parent, 'pipe')
    execFileSync('mkfifo', [path])
    vi.stubEnv('MCP_CREDENTIALS_KEY_FILE', path)
    await expect(withoutKeychain().set(key, record)).rejects.toThrow('is not a regular file')
  })

  test('can be read through links of the same user, as container platforms create them', async () => {
    await mkdir(join(parent, '..data'))
    await writeFile(join(parent, '..data', 'key'), ownKey)
    await symlink('..data/key', join(parent, 'key'))
    vi.stubEnv('MCP_CREDENTIALS_KEY_FILE', join(parent, 'key'))
    await withoutKeychain().set(key, record)
    expect(await withoutKeychain().get(key)).toEqual(record)
  })

  test('comes from the file that MCP_CREDENTIALS_KEY_FILE names', async () => {
    const path = join(parent, 'mine')
    vi.stubEnv('MCP_CREDENTIALS_KEY_FILE', path)
    await expect(withoutKeychain().set(key, record)).rejects.toThrow(`${path} cannot be read`)
    await writeFile(path, 'canary-short')
    const wrong = await withoutKeychain()
      .set(key, record)
      .catch((error: unknown) => error)
    expect(wrong).toBeInstanceOf(StoreError)
    expect(String(wrong)).not.toContain('canary')
    await writeFile(path, `${ownKey}\n`)
    await withoutKeychain().set(key, record)
    expect(await withoutKeychain().get(key)).toEqual(record)
  })

  test('is not used if others could replace it', async () => {
    await withoutKeychain().set(key, record)
    await chmod(join(parent, 'config', 'keys'), 0o777)
    await expect(withoutKeychain().get(key)).rejects.toThrow('can be written by others')
  })
})
