import { randomBytes } from 'node:crypto'
import { link, mkdtemp, readdir, rm, truncate } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { CredentialRecord } from '../../src/index.ts'
import { encryptedFileStore } from '../../src/stores/file.ts'

const key = () => randomBytes(32).toString('base64url')
const [oldKey, newKey] = [key(), key()]
const first = 'https://mcp.example.com/first | default'
const second = 'https://mcp.example.com/second | default'
const record: CredentialRecord = { version: 1, provider: 'test', data: { accessToken: 'a' } }

let parent: string
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'rekey-'))
})
afterEach(() => rm(parent, { recursive: true, force: true }))

describe('rekey() of files', () => {
  test.each([
    ['has a second name', (path: string) => link(path, join(parent, 'backup'))],
    ['is damaged', (path: string) => truncate(path, 40)],
  ])('reports a record whose file %s, after it has encrypted all others', async (_what, spoil) => {
    const directory = join(parent, 'store')
    const store = encryptedFileStore({ key: oldKey, directory })
    await store.set(first, record)
    await store.set(second, record)
    const file = (await readdir(directory)).find((name) => name.includes('first')) ?? ''
    await spoil(join(directory, file))
    const both = encryptedFileStore({ keys: [newKey, oldKey], directory })
    await expect(both.rekey()).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringContaining(file),
      retryable: false,
    })
    const next = encryptedFileStore({ key: newKey, directory })
    expect(await next.get(second)).toEqual(record)
  })
})
