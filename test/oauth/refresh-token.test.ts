import { describe, expect, test } from 'vitest'
import {
  all,
  apiKey,
  authorizedFetch,
  type CredentialProvider,
  firstAvailable,
  headers,
  rotating,
} from '../../src/index.ts'
import { refreshToken } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

describe('refreshToken()', () => {
  const failing: CredentialProvider = {
    name: 'failing',
    acquire: () => Promise.reject(new Error('nothing there')),
  }
  const setUp = async (token: NonNullable<Script['token']>, more: object = {}) => {
    const world = await oauthWorld({
      token,
      metadata: ({ issuer }) => ({ revocation_endpoint: `${issuer}/revoke/token` }),
    })
    const clock = testClock()
    const start = (
      configured = 'configured',
      inside = (login: CredentialProvider): CredentialProvider => login,
    ) => {
      const login = refreshToken({
        clientId: 'app',
        issuer: world.issuer,
        refreshToken: configured,
      })
      const send = authorizedFetch(inside(login), {
        resource: world.url,
        now: clock.now,
        random: () => 0,
        ...more,
      })
      return { send, call: () => send(world.url, { method: 'POST', body: '{}' }) }
    }
    const { send, call } = start()
    const redeemed = () =>
      world.tokenRequests().flatMap((request) => request['refresh_token'] ?? [])
    return { world, clock, start, send, call, redeemed }
  }

  test('redeems the new token of an otherwise unusable response, and never the old one again', async () => {
    const { clock, call, redeemed } = await setUp((_params, count) => ({
      body:
        count === 1
          ? { token_type: 'mac', access_token: 'x', refresh_token: 'rotated' }
          : tokenAnswer(count, { refresh_token: `rotated-${count}` }),
    }))
    await expect(call()).rejects.toThrow()
    clock.advance(61_000)
    expect((await call()).status).toBe(200)
    expect(redeemed()).toEqual(['configured', 'rotated'])
  })

  test('revokes its token at logout() if no response contained a newer one, and does not send it again', async () => {
    const { world, clock, send, call, redeemed } = await setUp((params) =>
      params.has('token') ? { body: '' } : { body: { token_type: 'Bearer' } },
    )
    await expect(call()).rejects.toThrow()
    expect(await send.logout()).toEqual({ revoked: true })
    clock.advance(61_000)
    await expect(call()).rejects.toMatchObject({ code: 'login_required' })
    await expect(send.login()).rejects.toMatchObject({ code: 'login_required' })
    expect(await send.logout()).toMatchObject({ revoked: false })
    expect(redeemed()).toEqual(['configured'])
    expect(world.tokenRequests().slice(1)).toEqual([
      { token: 'configured', token_type_hint: 'refresh_token', client_id: 'app' },
    ])
  })

  test('does not send its token after a logout() before the first request', async () => {
    const { send, call, redeemed } = await setUp((params, count) =>
      params.has('token') ? { body: '' } : { body: tokenAnswer(count) },
    )
    expect(await send.logout()).toEqual({ revoked: true })
    await expect(call()).rejects.toMatchObject({ code: 'login_required' })
    expect(redeemed()).toEqual([])
  })

  test.each([
    ['was rotated, and its successor was refused', { refresh_token: 'rotated' }, false],
    ['was discarded by logout()', {}, true],
  ])(
    'does not send a token in a process that shares the store if the token %s',
    async (_case, answer, ends) => {
      const store = memoryStore()
      const { world, clock, call, send, start } = await setUp(
        (params, count) => {
          if (params.has('token')) return { body: '' }
          if (params.get('refresh_token') === 'rotated')
            return { status: 400, body: { error: 'invalid_grant' } }
          return { body: tokenAnswer(count, { refresh_token: undefined, ...answer }) }
        },
        { store },
      )
      expect((await call()).status).toBe(200)
      if (ends) await send.logout()
      clock.advance(7_200_000)
      const later = start()
      await expect(later.call()).rejects.toMatchObject({ code: 'login_required' })
      await expect(later.send.login()).rejects.toMatchObject({ code: 'login_required' })
      const presented = world
        .tokenRequests()
        .filter((each) => each['refresh_token'] === 'configured')
      expect(presented).toHaveLength(1)
      expect(JSON.stringify(await Promise.all((await store.list()).map(store.get)))).not.toContain(
        'configured',
      )
      const fresh = start('another')
      expect((await fresh.call()).status).toBe(200)
    },
  )

  test.each([
    ['all', (login: CredentialProvider) => all(login, headers({ 'X-Tenant-ID': 'acme' }))],
    ['firstAvailable', (login: CredentialProvider) => firstAvailable(login, failing)],
    [
      'firstAvailable with another in use',
      (login: CredentialProvider) => firstAvailable(login, apiKey({ value: 'key' })),
    ],
    ['rotating', (login: CredentialProvider) => rotating([login, failing])],
  ])('is ended inside %s too', async (_name, inside) => {
    const { redeemed, start } = await setUp((params) =>
      params.has('token') ? { body: '' } : { body: { token_type: 'Bearer' } },
    )
    const { send, call } = start('configured', inside)
    await call().catch(() => undefined)
    const before = redeemed()
    expect(await send.logout()).toEqual({ revoked: true })
    await call().catch(() => undefined)
    await send.login().catch(() => undefined)
    expect(redeemed()).toEqual(before)
  })

  test('does not send its token again after logout()', async () => {
    const { send, call, redeemed } = await setUp((params, count) =>
      params.has('token') ? { body: '' } : { body: tokenAnswer(count) },
    )
    await call()
    await send.logout()
    await expect(call()).rejects.toMatchObject({ code: 'login_required' })
    await expect(send.login()).rejects.toMatchObject({ code: 'login_required' })
    expect(redeemed()).toEqual(['configured'])
  })
})
