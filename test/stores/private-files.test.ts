import { AsyncLocalStorage } from 'node:async_hooks'
import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmod,
  copyFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { CredentialRecord } from '../../src/index.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { localLock } from '../../src/stores/local-lock.ts'

const key = randomBytes(32).toString('base64url')
const name = 'https://mcp.example.com/mcp | default'
const record: CredentialRecord = { version: 1, provider: 'test', data: { accessToken: 'a' } }
const content = 'what somebody else needs'

let parent: string
let directory: string
let victim: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'private-files-'))
  directory = join(parent, 'store')
  victim = join(parent, 'victim')
  await writeFile(victim, content)
})
afterEach(() => rm(parent, { recursive: true, force: true }))

const storeOf = (folder = directory) => encryptedFileStore({ key, directory: folder })
const lockFile = (folder: string) =>
  join(folder, `${createHash('sha256').update(name).digest('hex')}.lock`)

/** How many times this process has files of a folder open that still exist. */
async function openFiles(folder: string): Promise<number> {
  const links = (await readdir('/proc/self/fd')).map((fd) =>
    readlink(`/proc/self/fd/${fd}`).catch(() => ''),
  )
  const targets = await Promise.all(links)
  return targets.filter((target) => target.startsWith(folder) && target.endsWith('.lock')).length
}

describe('a lock', () => {
  test.each([
    ['a symbolic link', symlink],
    ['a hard link', link],
  ])('whose file is %s does not change its target', async (_what, make) => {
    await mkdir(directory, { mode: 0o700 })
    await make(victim, lockFile(directory))
    const running = localLock({ directory }).run(name, async () => 'entered')
    await expect(running).rejects.toMatchObject({
      name: 'StoreError',
      code: 'store',
      message: expect.stringContaining(lockFile(directory)),
    })
    expect(await readFile(victim, 'utf8')).toBe(content)
  })

  test.runIf(process.platform !== 'win32')('whose file is a pipe does not block', async () => {
    await mkdir(directory, { mode: 0o700 })
    execFileSync('mkfifo', [lockFile(directory)])
    const running = localLock({ directory }).run(name, async () => 'entered')
    await expect(running).rejects.toMatchObject({ name: 'StoreError', code: 'store' })
  })

  test('whose folder is a symbolic link is rejected, and nothing is created behind it', async () => {
    const elsewhere = join(parent, 'elsewhere')
    await mkdir(elsewhere, { mode: 0o700 })
    await mkdir(directory, { mode: 0o700 })
    await symlink(elsewhere, join(directory, 'locks'))
    await expect(storeOf().lock(name, async () => 'entered')).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringContaining('is a symbolic link'),
    })
    expect(await readdir(elsewhere)).toEqual([])
  })

  test('is acquired again by the same process over an older, longer process ID', async () => {
    await mkdir(directory, { mode: 0o700 })
    await writeFile(lockFile(directory), '99999999999\n', { mode: 0o600 })
    const locks = localLock({ directory })
    expect(await locks.run(name, async () => readFile(lockFile(directory), 'utf8'))).toBe(
      String(process.pid).padEnd(20),
    )
  })
})

describe('a lock whose file is removed', () => {
  const lockFolder = () => join(directory, 'locks')
  const remove = () => rm(lockFolder(), { recursive: true })

  test('prevents further writes of its holder', async () => {
    const store = storeOf()
    const elsewhere = AsyncLocalStorage.snapshot()
    const late = await store.lock(name, async () => {
      await store.set(name, record)
      await remove()
      const other = { ...record, data: { by: 'other' } }
      await elsewhere(() => storeOf().lock(name, () => storeOf().set(name, other)))
      return [
        await store.set(name, record).catch((error: unknown) => error),
        await store.delete(name).catch((error: unknown) => error),
      ]
    })
    for (const error of late) {
      expect(error).toMatchObject({ name: 'StoreError', retryable: true })
    }
    expect((await store.get(name))?.data).toEqual({ by: 'other' })
  })

  test.runIf(process.platform === 'linux')(
    'does not admit a waiting process beside another holder',
    async () => {
      const [release, releaseSecond] = [new AbortController(), new AbortController()]
      const entered: string[] = []
      const hold = (who: string, until?: AbortSignal) =>
        localLock({ directory: lockFolder() }).run(name, async () => {
          entered.push(who)
          if (until !== undefined) await once(until, 'abort')
        })
      await mkdir(directory, { mode: 0o700 })
      const first = hold('first', release.signal)
      await vi.waitFor(() => expect(entered).toEqual(['first']))
      const waiting = hold('waiting')
      await vi.waitFor(async () => expect(await openFiles(lockFolder())).toBe(2))
      await remove()
      const second = hold('second', releaseSecond.signal)
      await vi.waitFor(() => expect(entered).toContain('second'))
      release.abort()
      await first
      await vi.waitFor(async () => expect(await openFiles(lockFolder())).toBe(2))
      expect(entered).toEqual(['first', 'second'])
      releaseSecond.abort()
      await Promise.all([second, waiting])
      expect(entered).toEqual(['first', 'second', 'waiting'])
    },
  )
})

describe('a folder', () => {
  test('is created for its owner alone, as is the folder of its locks', async () => {
    const store = storeOf()
    await store.set(name, record)
    await store.lock(name, async () => {})
    for (const folder of [directory, join(directory, 'locks')]) {
      expect((await stat(folder)).mode & 0o777).toBe(0o700)
    }
  })

  test.each([
    ['can be read by others', 0o755],
    ['can be read by others', 0o750],
    ['can be written by others', 0o777],
    ['can be written by others', 0o770],
  ])('that %s is rejected, and the error contains the chmod command', async (problem, mode) => {
    await mkdir(directory)
    await chmod(directory, mode)
    const store = storeOf()
    const calls = [
      () => store.get(name),
      () => store.set(name, record),
      () => store.lock(name, async () => {}),
    ]
    for (const call of calls) {
      await expect(call()).rejects.toMatchObject({
        name: 'StoreError',
        retryable: false,
        retryAfter: 1,
        message: expect.stringContaining(`The folder ${directory} ${problem}.`),
        remedy: expect.stringContaining(`chmod 700 ${directory}`),
      })
    }
    await chmod(directory, 0o700)
    await store.set(name, record)
  })

  test('that is a symbolic link is rejected', async () => {
    await mkdir(join(parent, 'elsewhere'), { mode: 0o700 })
    await symlink(join(parent, 'elsewhere'), directory)
    await expect(storeOf().set(name, record)).rejects.toThrow('is a symbolic link')
    expect(await readdir(join(parent, 'elsewhere'))).toEqual([])
  })

  test.runIf(process.getuid)('of another user is rejected', async () => {
    await mkdir(directory, { mode: 0o700 })
    const { uid } = await lstat(directory)
    const getuid = vi.spyOn(process as { getuid(): number }, 'getuid').mockReturnValue(uid + 1)
    try {
      await expect(storeOf().get(name)).rejects.toThrow('belongs to another user')
    } finally {
      getuid.mockRestore()
    }
  })

  test('that is replaced by a link while the process runs is rejected from then on', async () => {
    const store = storeOf()
    await store.set(name, record)
    await rename(directory, join(parent, 'moved'))
    await symlink(join(parent, 'moved'), directory)
    await expect(store.get(name)).rejects.toThrow('is a symbolic link')
  })

  test.each([
    ['is a file', () => victim],
    ['lies below a file', () => join(victim, 'store')],
  ])('that %s is rejected, with a suitable remedy', async (_what, place) => {
    const error = await storeOf(place())
      .get(name)
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'StoreError', retryable: false })
    expect(String(error)).toContain('Choose another `directory`')
    expect(String(error)).not.toMatch(/chmod|writable/)
  })

  test('with a relative path keeps its location if the working directory changes', async () => {
    const cwd = vi.spyOn(process, 'cwd').mockReturnValue(parent)
    const store = storeOf('store')
    cwd.mockRestore()
    await store.lock(name, () => store.set(name, record))
    expect(await storeOf(directory).get(name)).toEqual(record)
  })

  test('that is removed while the process runs is created again', async () => {
    const store = storeOf()
    await store.set(name, record)
    await rm(directory, { recursive: true })
    expect(await store.get(name)).toBeUndefined()
    await store.set(name, record)
    expect(await store.get(name)).toEqual(record)
  })
})

describe('foreign files in the folder', () => {
  test('do not prevent `list`', async () => {
    const store = storeOf()
    await store.set(name, record)
    const [own = ''] = await readdir(directory)
    const hash = '0123456789abcdef'
    await writeFile(join(directory, 'package.json'), 'no JSON')
    await writeFile(join(directory, `other-${hash}.json`), '{"key":')
    await writeFile(join(directory, `unreadable-${hash}.json`), '{}', { mode: 0 })
    await mkdir(join(directory, `folder-${hash}.json`))
    await symlink(victim, join(directory, `link-${hash}.json`))
    await symlink('nowhere', join(directory, `dangling-${hash}.json`))
    await copyFile(join(directory, own), join(directory, `copy-${hash}.json`))
    expect(await store.list()).toEqual([name])
  })

  test('are not read as records', async () => {
    const store = storeOf()
    await store.set(name, record)
    const [own = ''] = await readdir(directory)
    await rename(join(directory, own), join(parent, 'moved'))
    await symlink(join(parent, 'moved'), join(directory, own))
    await expect(store.get(name)).rejects.toMatchObject({ name: 'StoreError' })
  })
})
