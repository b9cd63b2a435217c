import { execFileSync, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CredentialRecord } from 'mcp-credentials'
import { encryptedFileStore, generateKey } from 'mcp-credentials/file'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startJudge, startWorker } from '../support/fleet.ts'
import { fleetCases } from '../support/fleet-cases.ts'

const key = randomBytes(32).toString('base64')
const name = 'https://mcp.example.com/mcp | default'
const secret = 'a-token-that-nobody-may-read'
const record: CredentialRecord = { version: 1, provider: 'test', data: { accessToken: secret } }

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'file-store-'))
  onTestFinished(() => rm(made, { recursive: true, force: true }))
  return made
}

describe('on disk', () => {
  test('rows 55, 60: records are for the owner alone, recognisable, and hold no token in the clear', async () => {
    const directory = await folder()
    const store = encryptedFileStore({ key, directory })
    await store.set(name, record)
    await store.lock(name, async () => {})
    const [file = ''] = (await readdir(directory)).filter((entry) => entry.endsWith('.json'))
    expect(file).toMatch(/^mcp\.example\.com_mcp_default-[0-9a-f]{16}\.json$/)
    expect((await stat(join(directory, file))).mode & 0o777).toBe(0o600)
    expect((await stat(directory)).mode & 0o777).toBe(0o700)
    const everything = execFileSync('sh', ['-c', `cat $(find ${directory} -type f)`]).toString(
      'latin1',
    )
    expect(everything).not.toContain(secret)
    expect(everything).toContain('mcp.example.com')
  })

  test('a folder into which others may write is refused, with the command that helps', async () => {
    const directory = await folder()
    await chmod(directory, 0o777)
    const store = encryptedFileStore({ key, directory })
    await expect(store.get(name)).rejects.toMatchObject({
      name: 'StoreError',
      remedy: `Choose a separate folder as \`directory\`, such as ${join(directory, 'mcp-credentials')}; if nothing else uses this one, run \`chmod 700 ${directory}\`.`,
    })
  })

  test('a wrong key is an error that deletes nothing', async () => {
    const directory = await folder()
    await encryptedFileStore({ key, directory }).set(name, record)
    const other = encryptedFileStore({ key: randomBytes(32).toString('hex'), directory })
    await expect(other.get(name)).rejects.toMatchObject({
      name: 'StoreError',
      reason: 'unusable_record',
      message: expect.stringMatching(
        /cannot be decrypted\. Add the key that encrypted it to `keys`/,
      ),
    })
    expect(await encryptedFileStore({ key, directory }).get(name)).toEqual(record)
  })

  test('any changed byte is noticed, and nothing but a StoreError comes of it', async () => {
    const directory = await folder()
    const store = encryptedFileStore({ key, directory })
    await store.set(name, record)
    const [file = ''] = (await readdir(directory)).filter((entry) => entry.endsWith('.json'))
    const path = join(directory, file)
    const good = await readFile(path)
    for (let at = 0; at < good.length; at += 3) {
      const bad = Buffer.from(good)
      bad[at] = (bad[at] ?? 0) ^ 1
      await writeFile(path, bad)
      const read = await store.get(name).catch((error: unknown) => error)
      // Some bytes are spelling only: the case of a hex digit, a bit that base64 does not use.
      if (!(read instanceof Error)) expect(read).toEqual(record)
      else expect(read).toMatchObject({ name: 'StoreError' })
    }
    for (const text of ['', '{}', '[]', 'null', '{"key":1}', good.toString().slice(0, 40)]) {
      await writeFile(path, text)
      await expect(store.get(name)).rejects.toMatchObject({ name: 'StoreError' })
    }
    await writeFile(path, good)
    expect(await store.get(name)).toEqual(record)
  })

  test('a record that is put in the place of another does not open', async () => {
    const directory = await folder()
    const store = encryptedFileStore({ key, directory })
    await store.set(name, record)
    await store.set(`${name} 2`, record)
    const files = (await readdir(directory)).filter((entry) => entry.endsWith('.json')).sort()
    const [one = '', two = ''] = files
    const entry = JSON.parse(await readFile(join(directory, one), 'utf8')) as { key: string }
    const other = JSON.parse(await readFile(join(directory, two), 'utf8')) as { key: string }
    await writeFile(join(directory, one), JSON.stringify({ ...other, key: entry.key }))
    await expect(store.get(entry.key)).rejects.toThrow('cannot be decrypted')
  })
})

describe('keys', () => {
  const next = generateKey()

  test('a generated key has 32 random bytes and encrypts', async () => {
    const directory = await folder()
    expect(Buffer.from(next, 'base64url')).toHaveLength(32)
    expect(generateKey()).not.toBe(next)
    const store = encryptedFileStore({ key: next, directory })
    await store.set(name, record)
    expect(await store.get(name)).toEqual(record)
  })

  test('all of them decrypt, and the first encrypts', async () => {
    const directory = await folder()
    await encryptedFileStore({ key, directory }).set(name, record)
    const both = encryptedFileStore({ keys: [next, key], directory })
    expect(await both.get(name)).toEqual(record)
    await both.set(`${name} 2`, record)
    expect(await encryptedFileStore({ key: next, directory }).get(`${name} 2`)).toEqual(record)
    await expect(encryptedFileStore({ key, directory }).get(`${name} 2`)).rejects.toMatchObject({
      reason: 'unusable_record',
    })
  })

  test('rekey encrypts with the first what another one encrypted, and nothing twice', async () => {
    const directory = await folder()
    const old = encryptedFileStore({ key, directory })
    for (let index = 0; index < 5; index += 1) await old.set(`${name} ${index}`, record)
    const both = encryptedFileStore({ keys: [next, key], directory })
    await both.set(`${name} 1`, record)
    expect(await both.rekey()).toBe(4)
    expect(await both.rekey()).toBe(0)
    const after = encryptedFileStore({ key: next, directory })
    for (let index = 0; index < 5; index += 1) {
      expect(await after.get(`${name} ${index}`)).toEqual(record)
    }
    await expect(old.get(`${name} 0`)).rejects.toThrow('decrypted')
  })

  test('a rekey that is killed at any moment is completed by the next', async () => {
    const directory = await folder()
    const old = encryptedFileStore({ key, directory })
    for (let index = 0; index < 40; index += 1) await old.set(`${name} ${index}`, record)
    const script = `
      import { encryptedFileStore } from 'mcp-credentials/file'
      const [keys, directory] = JSON.parse(process.argv[1])
      process.send('begun')
      await encryptedFileStore({ keys, directory }).rekey()
      process.disconnect()
    `
    const both = encryptedFileStore({ keys: [next, key], directory })
    for (let round = 0; round < 4; round += 1) {
      const child = fork('/dev/null', [], {
        execPath: process.execPath,
        execArgv: ['--input-type=module', '-e', script, JSON.stringify([[next, key], directory])],
      })
      await new Promise((resolve) => child.once('message', resolve))
      await new Promise((resolve) => setTimeout(resolve, 15 * round))
      child.kill('SIGKILL')
      await new Promise((resolve) => child.once('exit', resolve))
      for (let index = 0; index < 40; index += 1) {
        expect(await both.get(`${name} ${index}`)).toEqual(record)
      }
    }
    await both.rekey()
    const after = encryptedFileStore({ key: next, directory })
    for (let index = 0; index < 40; index += 1) {
      expect(await after.get(`${name} ${index}`)).toEqual(record)
    }
  })

  test('rekey goes on past a record that none of the keys decrypts, and names it', async () => {
    const directory = await folder()
    const foreign = encryptedFileStore({ key: generateKey(), directory })
    await foreign.set(`${name} 0`, record)
    await encryptedFileStore({ key, directory }).set(`${name} 1`, record)
    const both = encryptedFileStore({ keys: [next, key], directory })
    await expect(both.rekey()).rejects.toMatchObject({
      name: 'StoreError',
      retryable: false,
      message: expect.stringContaining(
        `One record could not be re-encrypted. The first error: The record of ${name} 0`,
      ),
    })
    expect(await encryptedFileStore({ key: next, directory }).get(`${name} 1`)).toEqual(record)
    expect(await foreign.get(`${name} 0`)).toEqual(record)
  })

  test('work done to decrypt a record does not depend on what stands in it', async () => {
    const directory = await folder()
    const store = encryptedFileStore({ key, directory })
    await store.set(name, record)
    const [file = ''] = (await readdir(directory)).filter((entry) => entry.endsWith('.json'))
    const path = join(directory, file)
    const entry = JSON.parse(await readFile(path, 'utf8')) as { key: string; text: string }
    const kdf = { N: 2 ** 20, r: 32, p: 16, salt: 'AAAA' }
    const text = JSON.stringify({ ...(JSON.parse(entry.text) as object), kdf })
    await writeFile(path, JSON.stringify({ ...entry, text }))
    const before = process.cpuUsage()
    expect(await store.get(name)).toEqual(record)
    expect(process.cpuUsage(before).user).toBeLessThan(1_000_000)
  })

  test.each([
    [{}, 'key'],
    [{ key: 'short' }, 'key'],
    [{ key, keys: [key] }, 'keys'],
    [{ keys: [] }, 'keys'],
    [{ keys: [key, 'short'] }, 'keys[1]'],
    [{ passphrase: 'correct horse battery' }, 'passphrase'],
    [{ key, folder: '/x' }, 'folder'],
    [{ key, lockTimeout: 0 }, 'lockTimeout'],
  ])('%j is refused at construction', (options, option) => {
    expect(() => encryptedFileStore(options as never)).toThrow(
      expect.objectContaining({
        name: 'ConfigurationError',
        option: `encryptedFileStore.${option}`,
      }),
    )
  })
})

describe('the lock', () => {
  test('is free at once when its holder is killed, and says who holds it while they live', async () => {
    const directory = await folder()
    const holder = fork(
      new URL('../support/lock-holder.mjs', import.meta.url),
      [JSON.stringify({ key, directory, name })],
      { execArgv: [] },
    )
    onTestFinished(() => void holder.kill('SIGKILL'))
    await new Promise((resolve) => holder.once('message', resolve))
    const store = encryptedFileStore({ key, directory, lockTimeout: 0.2 })
    holder.kill('SIGSTOP')
    await expect(store.lock(name, async () => 'entered')).rejects.toMatchObject({
      code: 'lock_timeout',
      message: expect.stringContaining(`Process ${holder.pid} `),
    })
    holder.kill('SIGKILL')
    await new Promise((resolve) => holder.once('exit', resolve))
    expect(await store.lock(name, async () => 'entered')).toBe('entered')
  })

  test('that is taken inside itself is an error, and no deadlock', async () => {
    const store = encryptedFileStore({ key, directory: await folder() })
    const inner = store.lock(name, () => store.lock(name, async () => 'entered'))
    await expect(inner).rejects.toThrow('already held by this task')
  })
})

fleetCases(async () => {
  const directory = await folder()
  const options = { key, directory, lockTimeout: 3 }
  return { setting: { store: 'file', options }, store: encryptedFileStore(options) }
})

test('100 kills at random moments of a renewal: the store opens, and the next start works or wants a login', async () => {
  const directory = await folder()
  const options = { key, directory }
  const store = encryptedFileStore(options)
  const judge = await startJudge(1, 3)
  const name = `${judge.url} | default`
  let logins = 0
  await store.set(name, judge.login())
  for (let round = 0; round < 100; round += 1) {
    const worker = startWorker(judge.url, { store: 'file', options }, 5)
    await worker.ready
    const first = await worker.next()
    if (first.error === 'login_required') {
      logins += 1
      await store.set(name, judge.login())
    } else expect(first).toEqual({ status: 200 })
    // A renewal begins every half second.
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 120))
    worker.kill('SIGKILL')
    const kept = await store.get(name)
    expect(kept?.data['refreshToken'] ?? 'none').toBeTypeOf('string')
  }
  expect(logins).toBeLessThan(60)
}, 240_000)
