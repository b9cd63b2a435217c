import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { authorizedFetch, type CredentialRecord } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { authorizationCode } from 'mcp-credentials/oauth'
import { testServers } from 'mcp-credentials/testing'
import { describe, expect, onTestFinished, test } from 'vitest'

const key = randomBytes(32).toString('base64url')
const name = 'https://mcp.example.com/mcp | default'
const record: CredentialRecord = { version: 1, provider: 'test', data: { accessToken: 'a' } }

/** Whether this user may mount a file system of memory; in some containers not even root may. */
const canMount = (() => {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    const place = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim()
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', place], { stdio: 'ignore' })
    execFileSync('umount', [place])
    execFileSync('rmdir', [place])
    return true
  } catch {
    return false
  }
})()

/** A disk of 256 KB. */
async function smallDisk() {
  const place = await mkdtemp(join(tmpdir(), 'small-disk-'))
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,nr_inodes=64', 'tmpfs', place])
  onTestFinished(async () => {
    execFileSync('umount', ['-l', place])
    await rm(place, { recursive: true, force: true })
  })
  const mount = (mode: 'ro' | 'rw') =>
    execFileSync('mount', ['-o', `remount,${mode}`, place], { stdio: 'inherit' })
  const filler = join(place, 'filler')
  return {
    directory: join(place, 'store'),
    fill: () => writeFile(filler, Buffer.alloc(1 << 20)).catch(() => {}),
    free: () => rm(filler),
    useUpInodes: async () => {
      for (let index = 0; index < 70; index += 1) {
        await writeFile(join(place, `inode-${index}`), '').catch(() => {})
      }
    },
    freeInodes: async () => {
      for (let index = 0; index < 70; index += 1) {
        await rm(join(place, `inode-${index}`), { force: true })
      }
    },
    mount,
  }
}

const retryable = (code: string) => ({
  name: 'StoreError',
  code: 'store',
  retryable: true,
  message: expect.stringContaining(code),
})

describe.runIf(canMount)('a disk', () => {
  test('that is full keeps the old record, and is used again once there is space', async () => {
    const { directory, fill, free } = await smallDisk()
    const store = encryptedFileStore({ key, directory })
    await store.set(name, record)
    await fill()

    const big = { ...record, data: { accessToken: 'b'.repeat(5000) } }
    await expect(store.set(name, big)).rejects.toMatchObject({
      ...retryable('ENOSPC'),
      remedy: 'Free some space; stored records are untouched.',
    })
    expect(await store.get(name)).toEqual(record)
    expect(await store.list()).toEqual([name])

    await free()
    await store.set(name, big)
    expect(await store.get(name)).toEqual(big)
  })

  test('that is full lets a record be locked and deleted', async () => {
    const { directory, fill } = await smallDisk()
    const store = encryptedFileStore({ key, directory })
    await store.lock(name, () => store.set(name, record))
    await fill()
    expect(await store.lock(name, () => store.delete(name))).toBe(true)
  })

  test.each(['useUpInodes', 'mount'] as const)(
    'that takes no new files at the first use (%s) is used once it does',
    async (how) => {
      const disk = await smallDisk()
      if (how === 'mount') disk.mount('ro')
      else await disk.useUpInodes()
      const store = encryptedFileStore({ key, directory: disk.directory })
      const error = retryable(how === 'mount' ? 'EROFS' : 'ENOSPC')
      await expect(store.get(name)).rejects.toMatchObject(error)
      await expect(store.set(name, record)).rejects.toMatchObject(error)
      await expect(store.lock(name, async () => 'entered')).rejects.toMatchObject(error)
      await expect(store.list()).rejects.toMatchObject(error)

      if (how === 'mount') disk.mount('rw')
      else await disk.freeInodes()
      await store.lock(name, () => store.set(name, record))
      expect(await store.get(name)).toEqual(record)
    },
  )

  test('that becomes read-only serves what it has, and is written again once it can be', async () => {
    const { directory, mount } = await smallDisk()
    const store = encryptedFileStore({ key, directory })
    await store.set(name, record)
    mount('ro')
    expect(await store.get(name)).toEqual(record)
    await expect(store.set(name, record)).rejects.toMatchObject(retryable('EROFS'))
    await expect(store.delete(name)).rejects.toMatchObject(retryable('EROFS'))
    mount('rw')
    await store.set(name, record)
  })

  test('that was full does not keep a client from its login for long', async () => {
    const { directory, fill, free, useUpInodes, freeInodes } = await smallDisk()
    const { resource, authorizationServer, close } = await testServers()
    onTestFinished(close)
    const send = authorizedFetch(
      authorizationCode({ onAuthorizationUrl: authorizationServer.visit }),
      { resource, store: encryptedFileStore({ key, directory }) },
    )
    const ping = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }
    await useUpInodes()
    await fill()
    for (let attempt = 0; attempt < 4; attempt += 1) {
      await expect(send(resource, ping)).rejects.toMatchObject({ name: 'StoreError' })
      await new Promise((resolve) => setTimeout(resolve, 1100))
    }
    await freeInodes()
    await free().catch(() => {})
    const mended = performance.now()
    await expect
      .poll(
        async () =>
          send(resource, ping).then(
            (answer) => answer.status,
            () => 0,
          ),
        {
          timeout: 10_000,
        },
      )
      .toBe(200)
    expect(performance.now() - mended).toBeLessThan(2500)
  })
})

test.runIf(process.platform === 'linux')(
  'files that the kernel keeps from growing are a StoreError, and are written once they may grow',
  async () => {
    const directory = await mkdtemp(join(tmpdir(), 'limited-'))
    onTestFinished(() => rm(directory, { recursive: true, force: true }))
    const worker = new URL('../support/limited-writer.mjs', import.meta.url).pathname
    const script = `trap '' XFSZ; ulimit -S -f 0; exec "$0" "$@"`
    const args = [worker, JSON.stringify({ key, directory, name })]
    const child = spawn('sh', ['-c', script, process.execPath, ...args], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      cwd: new URL('../..', import.meta.url),
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const next = () => new Promise((resolve) => child.once('message', resolve))
    expect(await next()).toMatchObject({ kind: 'StoreError', code: 'store', retryable: true })

    execFileSync('prlimit', ['--pid', String(child.pid), '--fsize=unlimited'])
    const written = next()
    child.send('again')
    expect(await written).toBe('written')
    child.send('end')
    expect(await encryptedFileStore({ key, directory }).get(name)).toEqual(record)
  },
)
