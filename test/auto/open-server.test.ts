import { describe, expect, onTestFinished, test } from 'vitest'
import { auto, saveKey } from '../../src/auto/index.ts'
import {
  authorizedFetch,
  type CredentialError,
  type CredentialEvent,
  headersOf,
  isCredentialError,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { recordingOrigin, type SeenRequest } from '../support/recording-origin.ts'

/** A server, and an `auto()` that finds nothing for it. */
async function setUp(answer: (request: SeenRequest) => number = () => 200) {
  const server = await recordingOrigin((request, response) => {
    response.writeHead(answer(request)).end('{}')
  })
  const resource = `${server.origin}/mcp`
  const store = memoryStore()
  const clock = testClock(Date.now())
  const events: CredentialEvent[] = []
  const client = (options: object = {}, account?: string) => {
    const provider = auto({ config: false, store, ...(account === undefined ? {} : { account }) })
    const onEvent = (event: CredentialEvent) => events.push(event)
    const fetch = authorizedFetch(provider, { resource, onEvent, now: clock.now, ...options })
    onTestFinished(() => fetch.close())
    return { fetch, provider }
  }
  const chosen = () =>
    events.flatMap((event) => (event.type === 'source_chosen' ? [event.source] : []))
  return { server, resource, store, clock, client, chosen }
}

const key = { type: 'apiKey', value: 'canary-key' } as const
const failure = (running: Promise<unknown>) =>
  running.then(
    () => expect.unreachable('It succeeds.'),
    (error: unknown) => error as CredentialError,
  )

describe('auto() on a server for which it finds nothing', () => {
  test.each([200, 400, 404, 405, 503])(
    'sends no credential when the server answers with %i',
    async (status) => {
      const { server, resource, client, chosen } = await setUp(() => status)
      const { fetch, provider } = client()
      const response = await fetch(resource, { method: 'PUT', body: '{}' })
      expect(response.status).toBe(status)
      expect(server.requests.map(({ method }) => method)).toEqual(['POST', 'PUT'])
      expect(server.requests.every(({ headers }) => headers.authorization === undefined)).toBe(true)
      expect(chosen()).toEqual(['none'])
      expect(provider.chosen(resource)).toEqual({
        source: 'none',
        detail: 'none: the server requires no credential',
      })
    },
  )

  test('asks once, however many requests follow', async () => {
    const { server, resource, client } = await setUp()
    const { fetch } = client()
    await Promise.all([fetch(resource), fetch(resource)])
    await fetch(resource)
    expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
  })

  test('lends no headers where none are wanted', async () => {
    const { resource, client } = await setUp()
    expect(await headersOf(client().provider, { resource })).toEqual({})
  })

  test.each([401, 403])('says what was tried when the server answers with %i', async (status) => {
    const { server, resource, client, chosen } = await setUp(() => status)
    const error = await failure(client().fetch(resource))
    expect(error).toMatchObject({ code: 'login_required', reason: 'no_credential' })
    expect(error.message).toContain('Searched:')
    expect(error.remedy).toBe(
      `Log in: \`npx mcp-credentials login ${resource}\`. Store a key: \`npx mcp-credentials set ${resource} --header X-API-Key\`. If you do not know which: \`npx mcp-credentials doctor ${resource}\`.`,
    )
    expect(server.requests).toHaveLength(1)
    expect(chosen()).toEqual([])
  })

  test('names the account in each command to type', async () => {
    const { resource, client } = await setUp(() => 401)
    const { remedy } = await failure(client({}, 'work').fetch(resource))
    expect(remedy).toContain(`login ${resource} --account work\``)
    expect(remedy).toContain(`set ${resource} --header X-API-Key --account work\``)
  })

  test('says what was tried when the server cannot be reached', async () => {
    const { resource, client } = await setUp()
    const fetch = async () => {
      throw new TypeError('fetch failed')
    }
    const error = await failure(client({ fetch }).fetch(resource))
    expect(error).toMatchObject({ code: 'login_required', reason: 'no_credential' })
  })

  test('gives up asking a server that does not answer', async () => {
    const { resource, client } = await setUp()
    const fetch = (_input: unknown, init?: RequestInit) =>
      new Promise<Response>((_resolve, reject) => {
        init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))
      })
    const error = await failure(client({ fetch, acquireTimeout: 20 }).fetch(resource))
    expect(error).toMatchObject({ code: 'login_required', reason: 'no_credential' })
  }, 15_000)

  test('follows no redirect while it asks', async () => {
    const other = await recordingOrigin()
    const server = await recordingOrigin((_request, response) => {
      response.writeHead(307, { location: `${other.origin}/mcp` }).end()
    })
    const resource = `${server.origin}/mcp`
    const store = memoryStore()
    expect(await headersOf(auto({ config: false, store }), { resource })).toEqual({})
    expect(other.requests).toEqual([])
  })
})

describe('a server that answers without a credential at first', () => {
  test('leads to the error that says what was tried when it answers with 401 later', async () => {
    let status = 200
    const { resource, client } = await setUp(() => status)
    const { fetch } = client()
    await fetch(resource)
    status = 401
    const error = await failure(fetch(resource))
    expect(isCredentialError(error, 'login_required') && error.reason).toBe('no_credential')
    expect(error.message).toContain('Searched:')
  })

  test('gets a key that was stored meanwhile after its first 401, in the same request', async () => {
    let isOpen = true
    const { server, resource, store, client, chosen } = await setUp(({ headers }) =>
      isOpen || headers['x-api-key'] === key.value ? 200 : 401,
    )
    const { fetch } = client()
    await fetch(resource)
    await saveKey(store, { resource, key })
    isOpen = false
    expect((await fetch(resource)).status).toBe(200)
    expect(server.requests.at(-1)?.headers['x-api-key']).toBe(key.value)
    expect(chosen()).toEqual(['none', 'stored'])
  })

  test('gets a key that was stored meanwhile within a minute, although it asks for none', async () => {
    const { server, resource, store, clock, client, chosen } = await setUp()
    const { fetch } = client()
    await fetch(resource)
    await saveKey(store, { resource, key })
    clock.advance(60_000)
    await fetch(resource)
    expect(server.requests.at(-1)?.headers['x-api-key']).toBe(key.value)
    expect(chosen()).toEqual(['none', 'stored'])
  })

  test('is not asked again when nothing was stored meanwhile', async () => {
    const { server, resource, clock, client, chosen } = await setUp()
    const { fetch } = client()
    await fetch(resource)
    clock.advance(60_000)
    await fetch(resource)
    expect(server.requests.filter(({ method }) => method === 'POST')).toHaveLength(1)
    expect(chosen()).toEqual(['none'])
  })

  test('gets a stored key after it has refused a request without one', async () => {
    const { server, resource, store, clock, client } = await setUp(({ headers }) =>
      headers['x-api-key'] === key.value ? 200 : 401,
    )
    const { fetch } = client()
    await failure(fetch(resource))
    await saveKey(store, { resource, key })
    clock.advance(10_000)
    expect((await fetch(resource)).status).toBe(200)
    expect(server.requests.at(-1)?.headers['x-api-key']).toBe(key.value)
  })
})
