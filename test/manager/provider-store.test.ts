import { expect, test } from 'vitest'
import {
  all,
  type Credential,
  type CredentialProvider,
  type CredentialRecord,
  type CredentialStore,
  TokenManager,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const resource = 'https://mcp.example.com/mcp'
const key = `${resource} | default`

/** A provider whose credentials are stored. */
function storing(store: CredentialStore | undefined): CredentialProvider {
  const make = (record: CredentialRecord): Credential => ({ record, apply: () => {} })
  return {
    name: 'storing',
    ...(store === undefined ? {} : { store }),
    acquire: async () => make({ version: 1, provider: 'storing', data: { token: 'one' } }),
    restore: (record) => (record.provider === 'storing' ? make(record) : undefined),
  }
}

test('a provider can specify the store of its records', async () => {
  const store = memoryStore()
  await new TokenManager(storing(store), { resource }).credential()
  expect(await store.list()).toEqual([key])
})

test('the store of the options takes precedence over the store of the provider', async () => {
  const [own, given] = [memoryStore(), memoryStore()]
  await new TokenManager(storing(own), { resource, store: given }).credential()
  expect([await own.list(), await given.list()]).toEqual([[], [key]])
})

test("a logout deletes the record from the provider's store", async () => {
  const store = memoryStore()
  await new TokenManager(storing(store), { resource }).credential()
  await new TokenManager(storing(store), { resource }).logout()
  expect(await store.list()).toEqual([])
})

test('a combined provider does not use the store of one of its parts', async () => {
  const store = memoryStore()
  await new TokenManager(all(storing(store)), { resource }).credential()
  expect(await store.list()).toEqual([])
})

test('a provider with an invalid store is rejected by name', () => {
  const provider = { ...storing(undefined), store: { get() {} } } as unknown as CredentialProvider
  expect(() => new TokenManager(provider, { resource })).toThrow(
    expect.objectContaining({ code: 'configuration', option: 'provider.store' }),
  )
})
