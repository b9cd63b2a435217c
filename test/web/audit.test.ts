import { describe, expect, it } from 'vitest'
import type { CredentialEvent } from '../../src/index.ts'
import type { OAuthStep } from '../../src/oauth/index.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script } from '../support/oauth-world.ts'
import { alice, application, bob, errorOf, of, visit } from '../support/web-application.ts'

describe('an auditor of web logins', () => {
  /** An application, and what an auditor hears of it, without times. */
  async function audited(script: Script = {}, more: object = {}) {
    const all: CredentialEvent[] = []
    const onEvent = (event: CredentialEvent) => void all.push(event)
    const found = await application(script, { onEvent, ...more })
    const types = ['login_started', 'login_refused', 'login_finished', 'refused_by_policy']
    const events = () =>
      all.filter(({ type }) => types.includes(type)).map(({ time: _when, ...event }) => event)
    const begin = async (who = alice) => {
      const { url, state } = await found.logins.beginLogin({ resource: found.world.url, ...who })
      all.length = 0
      return { callback: await visit(url), state }
    }
    const known = (account: string) => ({
      resource: found.world.url,
      provider: 'webLogins',
      account,
      issuer: found.world.issuer,
      clientId: 'registered-1',
      grant: 'authorization_code',
    })
    return { ...found, events, begin, known, all }
  }

  it('hears that a login did not begin', async () => {
    const { logins, world, events } = await audited({
      metadata: () => ({ token_endpoint: 'http://198.51.100.7/token' }),
    })
    const error = await errorOf(logins.beginLogin({ resource: world.url, ...alice }))
    expect(events()).toEqual([
      {
        type: 'login_refused',
        during: 'begin',
        code: 'discovery',
        reason: error.message,
        resource: world.url,
        provider: 'webLogins',
        account: 'alice',
        grant: 'authorization_code',
      },
    ])
  })

  it('hears what the policy refused, and that the login did not begin', async () => {
    const allow = ({ type }: OAuthStep) => type !== 'authorization'
    const { logins, world, events } = await audited({}, { allow, scope: 'tools' })
    const error = await errorOf(logins.beginLogin({ resource: world.url, ...alice }))
    const common = { resource: world.url, provider: 'webLogins', account: 'alice' }
    const issuer = { issuer: world.issuer, grant: 'authorization_code' }
    expect(events()).toEqual([
      {
        type: 'refused_by_policy',
        ...common,
        ...issuer,
        clientId: 'registered-1',
        step: 'authorization',
        origins: [new URL(world.issuer).origin],
        requested: ['tools'],
        reason: error.message,
      },
      {
        type: 'login_refused',
        ...common,
        ...issuer,
        during: 'begin',
        code: 'refused_by_policy',
        reason: error.message,
      },
    ])
  })

  it('hears of a callback in the session of somebody else', async () => {
    const { logins, events, begin, known } = await audited()
    const { callback, state } = await begin()
    const error = await errorOf(logins.finishLogin(callback, state, of(bob)))
    const refusal = { type: 'login_refused', during: 'finish', code: 'login_mismatch' }
    expect(events()).toEqual([{ ...refusal, ...known('alice'), reason: error.message }])
  })

  it('hears of the callback of another login', async () => {
    const { logins, events, begin, known } = await audited()
    const { callback } = await begin(bob)
    const { state } = await begin()
    await errorOf(logins.finishLogin(callback, state, of(alice)))
    const refusal = { type: 'login_refused', during: 'finish', code: 'login_mismatch' }
    expect(events()).toMatchObject([{ ...refusal, ...known('alice') }])
  })

  it('hears of a login that is finished twice', async () => {
    const { logins, events, begin, known, all } = await audited()
    const { callback, state } = await begin()
    await logins.finishLogin(callback, state, of(alice))
    all.length = 0
    await errorOf(logins.finishLogin(callback, state, of(alice)))
    const refusal = { type: 'login_refused', during: 'finish', code: 'login_used' }
    expect(events()).toMatchObject([{ ...refusal, ...known('alice') }])
  })

  it('hears of a login that is finished too late', async () => {
    const clock = testClock()
    const { logins, events, begin } = await audited({}, { now: clock.now })
    const { callback, state } = await begin()
    clock.advance(600_000)
    await errorOf(logins.finishLogin(callback, state, of(alice)))
    expect(events()).toMatchObject([
      { type: 'login_refused', during: 'finish', code: 'login_expired' },
    ])
  })

  it('hears of a state that cannot be opened, without what is said to be in it', async () => {
    const { logins, events, begin, all } = await audited()
    const { callback, state } = await begin()
    const changed = `${state.slice(0, -4)}AAAA`
    const error = await errorOf(logins.finishLogin(callback, changed, of(alice)))
    expect(events()).toEqual([
      {
        type: 'login_refused',
        resource: '',
        provider: 'webLogins',
        during: 'finish',
        grant: 'authorization_code',
        code: 'login_state_invalid',
        reason: error.message,
      },
    ])
    expect(JSON.stringify(all)).not.toContain('code-1')
  })

  it('hears that a login ended where the server has moved since its beginning', async () => {
    const other = await oauthWorld()
    let moved = false
    const { logins, events, begin, known } = await audited({
      resource: ({ issuer }) => ({ authorization_servers: [moved ? other.issuer : issuer] }),
    })
    const { callback, state } = await begin()
    moved = true
    await errorOf(logins.finishLogin(callback, state, of(alice)))
    const failure = { type: 'login_finished', succeeded: false, code: 'discovery' }
    expect(events()).toEqual([{ ...failure, ...known('alice') }])
  })
})
