import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { defaultStore } from '../../src/auto/index.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'
import { memoryStore, storeContract } from '../../src/testing/index.ts'
import { checkLateWrites } from '../support/late-writes.ts'

describe('memoryStore', () => {
  const cases = storeContract({ open: async () => memoryStore() })
  for (const { name, run } of cases) test(name, run)
})

describe('encryptedFileStore', () => {
  const folders: string[] = []
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))
  const key = randomBytes(32).toString('base64')
  const places = new WeakMap<object, string>()
  const open = (directory: string) => {
    const store = encryptedFileStore({ key, directory })
    places.set(store, directory)
    return store
  }
  const cases = storeContract({
    async open() {
      const directory = await mkdtemp(join(tmpdir(), 'store-'))
      folders.push(directory)
      return open(directory)
    },
    reopen: async (store) => open(places.get(store) ?? ''),
  })
  for (const { name, run } of cases) test(name, run)

  test('rejects a change after its lock has ended', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'store-'))
    folders.push(directory)
    await checkLateWrites(key, (own) => encryptedFileStore({ key: own, directory }))
  })
})

describe('defaultStore', () => {
  const folders: string[] = []
  afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))))
  const places = new WeakMap<object, string>()
  const open = (folder: string) => {
    const [directory, keyDirectory] = [join(folder, 'data'), join(folder, 'keys')]
    const store = defaultStore({ kind: 'file', directory, keyDirectory })
    places.set(store, folder)
    return store
  }
  const cases = storeContract({
    async open() {
      const folder = await mkdtemp(join(tmpdir(), 'store-'))
      folders.push(folder)
      return open(folder)
    },
    reopen: async (store) => open(places.get(store) ?? ''),
  })
  for (const { name, run } of cases) test(name, run)
})
