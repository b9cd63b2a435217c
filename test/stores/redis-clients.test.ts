import { createClient, createClientPool, createCluster, createSentinel } from 'redis'
import { describe, expect, test } from 'vitest'
import { redisStore } from '../../src/stores/redis.ts'

const key = 'a'.repeat(64)
const plain = 'redis://:canary@redis.internal:6379'
const encrypted = 'rediss://redis.internal:6379'
const socket = { host: 'redis.internal', port: 6379 }
const defaults = { socket: { tls: true as const } }
const local = 'redis://127.0.0.1:6379'

function problemOf(client: unknown, allowInsecure?: true): string | undefined {
  const options = allowInsecure === undefined ? {} : { allowInsecure }
  try {
    redisStore({ client: client as never, key, ...options })
  } catch (error) {
    expect(error).toMatchObject({ name: 'ConfigurationError', option: 'redisStore.client' })
    return String(error)
  }
  return undefined
}

describe('a client without encryption to another machine', () => {
  test.each([
    ['a client for one server', () => createClient({ url: plain })],
    ['a cluster by its URL', () => createCluster({ rootNodes: [{ url: plain }] })],
    ['a cluster by its host', () => createCluster({ rootNodes: [{ socket }] })],
    [
      'a cluster whose URL overrides the encryption',
      () => createCluster({ rootNodes: [{ url: plain }], defaults }),
    ],
    [
      'a cluster with one such server',
      () => createCluster({ rootNodes: [{ url: local }, { url: plain }], defaults }),
    ],
    [
      'a cluster that encrypts only to its first server',
      () => createCluster({ rootNodes: [{ url: encrypted }] }),
    ],
  ])('is rejected: %s', (_what, create) => {
    const problem = problemOf(create())
    expect(problem).toContain('is not encrypted on the way to redis.internal')
    expect(problem).not.toContain('canary')
    expect(problemOf(create(), true)).toBeUndefined()
  })
})

test.each([
  ['of one server', () => createClient({ url: encrypted })],
  ['of a cluster', () => createCluster({ rootNodes: [{ url: encrypted }], defaults })],
  ['of a cluster by its hosts', () => createCluster({ rootNodes: [{ socket }], defaults })],
  ['of a cluster on this machine', () => createCluster({ rootNodes: [{ url: local }] })],
])('a client with encryption, or on this machine, is accepted: %s', (_what, create) => {
  expect(problemOf(create())).toBeUndefined()
})

test.each([
  ['a pool', () => createClientPool({ url: encrypted })],
  ['a sentinel', () => createSentinel({ name: 'main', sentinelRootNodes: [socket] })],
])('%s is rejected because its target is unknown', (_what, create) => {
  expect(problemOf(create())).toContain('createClient() or createCluster()')
})

describe('a client of the application', () => {
  const fakeClient = () => {
    const calls: string[] = []
    const client = {
      isOpen: false,
      async connect() {
        calls.push('connect')
        client.isOpen = true
      },
      sendCommand: async () => '',
    }
    return { client, calls }
  }

  test('is connected if it is not connected yet', async () => {
    const { client, calls } = fakeClient()
    const store = redisStore({ client: client as never, key })
    expect(await store.get('x')).toBeUndefined()
    expect(calls).toEqual(['connect'])
  })

  test('is not connected again after the application has closed it', async () => {
    const { client, calls } = fakeClient()
    const store = redisStore({ client: client as never, key })
    await store.get('x')
    client.isOpen = false
    await expect(store.get('x')).rejects.toMatchObject({
      name: 'StoreError',
      retryable: false,
      message: expect.stringContaining('has been closed'),
    })
    expect(calls).toEqual(['connect'])
    client.isOpen = true
    expect(await store.get('x')).toBeUndefined()
  })
})
