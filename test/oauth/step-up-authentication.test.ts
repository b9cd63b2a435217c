import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialProvider } from '../../src/index.ts'
import { authorizationCode, clientCredentials, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
const hour = 3_600_000

/** A server that requires a stronger login for requests whose body contains `pay`. */
async function setUp(
  isContent: (logins: Record<string, string>[]) => boolean,
  demand = { acr_values: 'urn:mfa urn:pwd', max_age: '60' },
) {
  const world = await oauthWorld({
    token: (_params, count) => ({
      body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
    }),
    mcp: (_token, request) =>
      request.body.includes('pay') && !isContent(world.logins())
        ? {
            status: 401,
            headers: {
              'www-authenticate': `Bearer error="insufficient_user_authentication", acr_values="${demand.acr_values}", max_age="${demand.max_age}"`,
            },
          }
        : undefined,
  })
  const clock = testClock()
  const store = memoryStore()
  const open = (provider: CredentialProvider) => {
    const options = { resource: world.url, now: clock.now, random: () => 0, store }
    const send = authorizedFetch(provider, options)
    const call = (body = '{}') => send(world.url, { method: 'POST', body })
    return { send, call }
  }
  return { world, clock, open }
}

const isStrong = (login: Record<string, string> | undefined) =>
  login?.['acr_values'] === 'urn:mfa urn:pwd' && login['max_age'] === '60'

describe('a challenge for a stronger or more recent login', () => {
  test('leads to a login with its parameters, and to no refresh', async () => {
    const { world, open } = await setUp((logins) => logins.some(isStrong))
    const { call } = open(authorizationCode(browser))
    expect((await call()).status).toBe(200)
    expect((await call('pay')).status).toBe(200)
    expect(world.logins().map(isStrong)).toEqual([false, true])
    expect(world.tokenRequests().map((request) => request['grant_type'])).toEqual([
      'authorization_code',
      'authorization_code',
    ])
  })

  test("does not change the application's own parameters, but may shorten `max_age`", async () => {
    const asked = async (own: Record<string, string>, max_age: string) => {
      const demand = { acr_values: 'urn:pwd', max_age }
      const { world, open } = await setUp((logins) => logins.length > 1, demand)
      const { call } = open(authorizationCode({ ...browser, authorizationParameters: own }))
      await call()
      await call('pay')
      const { acr_values, max_age: age, prompt } = world.logins().at(-1) ?? {}
      return { acr_values, age, prompt }
    }
    const strong = { acr_values: 'urn:mfa', max_age: '60', prompt: 'consent' }
    const same = { acr_values: 'urn:mfa', age: '60', prompt: 'consent' }
    expect(await asked(strong, '999999999')).toEqual(same)
    expect(await asked(strong, '30')).toEqual({ ...same, age: '30' })
    expect(await asked({ ...strong, max_age: '0' }, '00')).toEqual({ ...same, age: '0' })
    expect(await asked({ prompt: 'login' }, '30')).toEqual({
      acr_values: 'urn:pwd',
      age: '30',
      prompt: 'login',
    })
  })

  test('is not repeated after that login', async () => {
    const { world, clock, open } = await setUp((logins) => logins.some(isStrong))
    const { send, call } = open(authorizationCode(browser))
    await call()
    await call('pay')
    clock.advance(2 * hour)
    await call()
    expect(world.tokenRequests().at(-1)).toMatchObject({ grant_type: 'refresh_token' })
    await send.logout()
    await send.login()
    expect(world.logins().map(isStrong)).toEqual([false, true, false])
  })

  test('is remembered until the user has logged in', async () => {
    let isWilling = true
    const onAuthorizationUrl = (url: URL) =>
      isWilling ? fetch(url) : Promise.reject(new Error('closed'))
    const { world, open } = await setUp((logins) => logins.some(isStrong))
    const { send, call } = open(authorizationCode({ onAuthorizationUrl }))
    await call()
    isWilling = false
    await call('pay').catch(() => {})
    isWilling = true
    await send.login()
    expect(world.logins().map(isStrong)).toEqual([false, true])
  })

  test('leads to at most three logins in ten minutes, whatever the server responds', async () => {
    const { world, clock, open } = await setUp(() => false)
    const { call } = open(authorizationCode(browser))
    for (let count = 0; count < 12; count += 1) {
      await call().catch(() => {})
      await call('pay').catch(() => {})
      clock.advance(40_000)
    }
    expect(world.logins().filter(isStrong).length).toBeGreaterThan(0)
    expect(world.logins().filter(isStrong).length).toBeLessThanOrEqual(3)
  })

  test('never opens a browser if user interaction is not possible', async () => {
    const { world, open } = await setUp(() => false)
    await open(authorizationCode(browser)).call()
    const { call } = open(savedLogin())
    expect((await call('pay')).status).toBe(401)
    const service = { clientId: 'a', clientSecret: 's', issuer: world.issuer }
    const plain = authorizedFetch(clientCredentials(service), { resource: world.url })
    expect((await plain(world.url, { method: 'POST', body: 'pay' })).status).toBe(401)
    expect(world.logins()).toHaveLength(1)
  })

  test('is passed on only as far as its values are valid', async () => {
    const { world, open } = await setUp((logins) => logins.length > 1, {
      acr_values: 'urn:\u0085mfa',
      max_age: '-1',
    })
    await open(authorizationCode(browser)).call('pay')
    for (const login of world.logins()) {
      expect(login).not.toHaveProperty('acr_values')
      expect(login).not.toHaveProperty('max_age')
    }
  })
})
