import { describe, expect, test } from 'vitest'
import { auto } from '../../src/auto/index.ts'
import { authorizedFetch, type CredentialError } from '../../src/index.ts'
import { clientCredentials, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

const hour = 3_600_000
const clientSecret = 'canary-client-secret'

/** Issues tokens to a client that authenticates. */
const token: NonNullable<Script['token']> = (params, count, { headers }) => {
  const expected = `Basic ${btoa(`agent:${clientSecret}`)}`
  const isRight = headers.authorization === expected || params.get('client_secret') === clientSecret
  if (isRight) return { body: tokenAnswer(count) }
  return { status: 401, body: { error: 'invalid_client' } }
}

async function setUp(script: Script = {}, own: object = { keepSecret: true }) {
  const world = await oauthWorld({ token, ...script })
  const clock = testClock()
  const store = memoryStore()
  const client = { clientId: 'agent', clientSecret, issuer: world.issuer, scope: 'read' }
  const options = { resource: world.url, store, now: clock.now, random: () => 0 }
  const first = authorizedFetch(clientCredentials({ ...client, ...own }), options)
  await first.login()
  await first.close()
  return { world, clock, store, options }
}

describe('client credentials with a stored secret', () => {
  test.each([
    ['savedLogin()', () => savedLogin()],
    ['auto()', (store: ReturnType<typeof memoryStore>) => auto({ store, config: false })],
  ])('are renewed by %s, in any process', async (_name, provider) => {
    const { world, clock, store, options } = await setUp()
    for (const expected of [1, 2, 3]) {
      const later = authorizedFetch(provider(store), options)
      expect((await later(world.url)).status).toBe(200)
      await later.close()
      expect(world.tokenRequests()).toHaveLength(expected)
      clock.advance(2 * hour)
    }
    const requests = world.tokenRequests()
    expect(requests.map(({ grant_type }) => grant_type)).toEqual(
      requests.map(() => 'client_credentials'),
    )
    expect(requests.at(-1)).toMatchObject({ scope: 'read' })
  })

  test('are renewed after the server refused them', async () => {
    const refused = new Set(['access-1'])
    const { world, options } = await setUp({
      mcp: (sent) => (refused.has(sent) ? { status: 401 } : undefined),
    })
    const later = authorizedFetch(savedLogin(), options)
    expect((await later(world.url)).status).toBe(200)
    expect(world.tokenRequests()).toHaveLength(2)
  })

  test('are deleted by a logout', async () => {
    const { store, options } = await setUp()
    const later = authorizedFetch(savedLogin(), options)
    await later.logout()
    const left = await Promise.all((await store.list()).map((key) => store.get(key)))
    expect(JSON.stringify(left)).not.toContain('canary')
  })

  test('that are rejected say how to store others, and show no secret', async () => {
    let isRefused = false
    const { world, clock, options } = await setUp({
      token: (params, count, request) =>
        isRefused
          ? { status: 401, body: { error: 'invalid_client' } }
          : token(params, count, request),
    })
    isRefused = true
    clock.advance(2 * hour)
    const later = authorizedFetch(savedLogin(), options)
    const error = (await later(world.url).catch((thrown: unknown) => thrown)) as CredentialError
    expect(error.code).toBe('invalid_client')
    expect(error.message).not.toContain('canary')
  })

  test('are sent to no other authorization server', async () => {
    const { world, clock, options } = await setUp()
    const other = await oauthWorld({ token })
    clock.advance(2 * hour)
    const later = authorizedFetch(savedLogin({ issuer: other.issuer }), options)
    await expect(later(world.url)).rejects.toMatchObject({ code: 'store' })
    expect(other.tokenRequests()).toEqual([])
  })
})

test('client credentials store no secret by default', async () => {
  const { world, store, options } = await setUp({}, {})
  const kept = await Promise.all((await store.list()).map((key) => store.get(key)))
  expect(JSON.stringify(kept)).not.toContain('canary')
  const later = authorizedFetch(savedLogin(), options)
  await expect(later(world.url)).rejects.toMatchObject({ code: 'store' })
})

test('the option that stores the secret requires a client with one', () => {
  const options = { clientId: 'agent', issuer: 'https://login.example.com' }
  const make = (own: object) => () => clientCredentials({ ...options, ...own } as never)
  expect(make({ clientSecret, keepSecret: 'yes' })).toThrow('keepSecret')
  expect(make({ clientAuth: 'tls_client_auth', keepSecret: true })).toThrow('keepSecret')
})
