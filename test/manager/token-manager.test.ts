import { inspect } from 'node:util'
import { describe, expect, test, vi } from 'vitest'
import {
  ConfigurationError,
  CredentialError,
  type CredentialEvent,
  type CredentialProvider,
  LoginRequiredError,
  TokenManager,
  type TokenManagerOptions,
} from '../../src/index.ts'
import { transportPortOf } from '../../src/manager/token-manager.ts'
import { settle, testClock } from '../support/clock.ts'
import { testIssuer } from '../support/issuer.ts'

const resource = 'https://mcp.example.com/mcp'

function setUp(
  traits: Partial<CredentialProvider> = {},
  options: Partial<TokenManagerOptions> = {},
) {
  const clock = testClock()
  const issuer = testIssuer(traits)
  const events: CredentialEvent[] = []
  const manager = new TokenManager(issuer.provider, {
    resource,
    now: clock.now,
    random: () => 0,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const port = transportPortOf(manager)
  const types = () => events.map(({ type }) => type)
  return { clock, issuer, events, types, manager, port }
}

type Setting = ReturnType<typeof setUp>

/** Acquires the first credential, with a lifetime in seconds. */
async function hold({ manager, issuer }: Setting, life?: number) {
  const wanted = manager.credential()
  await settle()
  const credential = issuer.grant(life)
  expect(await wanted).toBe(credential)
  return credential
}

const noOptions = { challenges: [], signal: undefined }
const unavailable = (retryAfter?: number) =>
  new CredentialError('server_error', 'The issuer is down.', {
    retryable: true,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
const login = () => new LoginRequiredError('grant_rejected', 'The login is over.')

describe('a fresh credential', () => {
  test('is returned without a call of the provider, and synchronously by current()', async () => {
    const setting = setUp()
    const credential = await hold(setting, 3600)
    setting.clock.advance(3_299_000)

    expect(setting.manager.current()).toBe(credential)
    expect(setting.manager.credential()).toBe(setting.manager.credential())
    expect(setting.issuer.contexts).toHaveLength(1)
  })

  test('without an expiry time is used until it is rejected', async () => {
    const setting = setUp()
    const credential = await hold(setting)
    setting.clock.advance(10 * 365 * 86_400_000)

    expect(setting.manager.current()).toBe(credential)
  })

  test('has a lifetime that counts from before the request to the issuer', async () => {
    const setting = setUp()
    const wanted = setting.manager.credential()
    await settle()
    setting.clock.advance(20_000)
    setting.issuer.grant(undefined, { expiresAt: setting.clock.now() + 40_000 })
    await wanted
    // With a lifetime of 60 s, it is renewed in the background 30 s before expiry.
    setting.clock.advance(9_000)
    expect(setting.manager.current()).toBeDefined()
    setting.clock.advance(1_000)
    expect(setting.manager.current()).toBeUndefined()
  })
})

describe('in the early window', () => {
  test('requests use the current credential while one renewal runs in the background', async () => {
    const setting = setUp()
    const { clock, issuer, manager } = setting
    const old = await hold(setting, 3600)
    clock.advance(3_300_000)

    expect(await manager.credential()).toBe(old)
    expect(await manager.credential()).toBe(old)
    await settle()
    expect(issuer.contexts.map(({ reason }) => reason)).toEqual(['missing', 'expiring'])
    expect(issuer.contexts[1]).toMatchObject({ interactive: false, previous: old })

    const renewed = issuer.grant(3600)
    await settle()
    expect(manager.current()).toBe(renewed)
  })

  test('requests succeed although the issuer is down, and the issuer is contacted no more than the back-off allows', async () => {
    const setting = setUp()
    const { clock, issuer, manager } = setting
    const old = await hold(setting, 3600)
    clock.advance(3_300_000)
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      expect(await manager.credential()).toBe(old)
      await settle()
      issuer.fail(unavailable())
      await settle()
      expect(await manager.credential()).toBe(old)
      await settle()
      expect(issuer.contexts).toHaveLength(1 + attempt)
      clock.advance(250)
    }
  })

  test('the next attempt is not made before Retry-After', async () => {
    const setting = setUp()
    const { clock, issuer, manager } = setting
    await hold(setting, 3600)
    clock.advance(3_300_000)
    await manager.credential()
    await settle()
    issuer.fail(unavailable(30))
    await settle()

    clock.advance(29_999)
    await manager.credential()
    await settle()
    expect(issuer.contexts).toHaveLength(2)
    clock.advance(1)
    await manager.credential()
    await settle()
    expect(issuer.contexts).toHaveLength(3)
  })
})

describe('shortly before expiry', () => {
  test('callers wait for the renewal, and receive the current credential if it fails', async () => {
    const setting = setUp()
    const { clock, issuer, manager } = setting
    const old = await hold(setting, 3600)
    clock.advance(3_595_000)
    const wanted = manager.credential()
    await settle()
    issuer.fail(unavailable())
    expect(await wanted).toBe(old)
    // During the pause, the current one is used, and the provider is not called.
    expect(await manager.credential()).toBe(old)
    expect(issuer.contexts).toHaveLength(2)
  })

  test('all waiting callers receive the renewed credential', async () => {
    const setting = setUp()
    await hold(setting, 3600)
    setting.clock.advance(3_595_000)
    const wanted = [setting.manager.credential(), setting.manager.credential()]
    await settle()
    const renewed = setting.issuer.grant(3600)
    expect(await Promise.all(wanted)).toEqual([renewed, renewed])
  })
})

describe('without a usable credential', () => {
  test('a thousand callers cause one acquisition', async () => {
    const setting = setUp()
    await hold(setting, 60)
    setting.clock.advance(61_000)
    const wanted = Array.from({ length: 1000 }, () => setting.manager.credential())
    await settle()
    expect(setting.issuer.waiting).toBe(1)
    const renewed = setting.issuer.grant(60)
    expect(new Set(await Promise.all(wanted))).toEqual(new Set([renewed]))
  })

  test('an expired one is never returned', async () => {
    const setting = setUp()
    const { clock, issuer, manager } = setting
    await hold(setting, 60)
    clock.advance(60_000)
    const wanted = manager.credential()
    await settle()
    issuer.fail(unavailable())
    await expect(wanted).rejects.toMatchObject({ code: 'server_error' })
    expect(manager.current()).toBeUndefined()
  })

  test('callers during the pause receive the error immediately, with the remaining time', async () => {
    const { clock, issuer, manager, types } = setUp()
    const first = manager.credential()
    await settle()
    const error = unavailable(12)
    issuer.fail(error)
    await expect(first).rejects.toBe(error)
    clock.advance(2000)

    await expect(manager.credential()).rejects.toMatchObject({
      code: 'server_error',
      retryAfter: 10,
      cause: error,
      message: expect.stringContaining('in 10 s'),
    })
    expect(issuer.contexts).toHaveLength(1)
    expect(types()).toContain('cooldown')

    clock.advance(10_000)
    const second = manager.credential()
    await settle()
    issuer.grant(60)
    await second
  })

  test('an error that is not retryable causes a pause of one minute', async () => {
    const { clock, issuer, manager } = setUp()
    const first = manager.credential()
    await settle()
    issuer.fail(new CredentialError('invalid_client', 'The secret is wrong.'))
    await expect(first).rejects.toMatchObject({ code: 'invalid_client' })
    clock.advance(59_999)
    await expect(manager.credential()).rejects.toMatchObject({ code: 'invalid_client' })
    clock.advance(1)
    const second = manager.credential()
    await settle()
    expect(issuer.contexts).toHaveLength(2)
    issuer.grant(60)
    await second
  })

  test('an error with its own `retryAfter` causes a pause of that length', async () => {
    const { clock, issuer, manager } = setUp()
    const first = manager.credential()
    await settle()
    issuer.fail(new CredentialError('secret_unavailable', 'It is not set.', { retryAfter: 1 }))
    await expect(first).rejects.toMatchObject({ retryable: false })
    clock.advance(999)
    await expect(manager.credential()).rejects.toMatchObject({ retryable: false, retryAfter: 1 })
    clock.advance(1)
    const second = manager.credential()
    await settle()
    expect(issuer.contexts).toHaveLength(2)
    issuer.grant(60)
    await second
  })

  test('the back-off doubles, is bounded, and starts again after a success', async () => {
    const setting = setUp({}, { random: () => 0.999 })
    const { clock, issuer, manager, events } = setting
    for (let attempt = 1; attempt <= 7; attempt += 1) {
      const wanted = manager.credential()
      await settle()
      issuer.fail(unavailable())
      await expect(wanted).rejects.toThrow()
      clock.advance(30_000)
    }
    const waits = () =>
      events.flatMap((event) =>
        event.type === 'acquire_failure' ? [Math.round(event.retryIn)] : [],
      )
    expect(waits()).toEqual([1, 2, 4, 8, 16, 30, 30])
    await hold(setting, 60)
    clock.advance(60_000)
    const wanted = manager.credential()
    await settle()
    issuer.fail(unavailable())
    await expect(wanted).rejects.toThrow()
    expect(waits().at(-1)).toBe(1)
  })

  test('one that had expired on arrival is replaced at the next use, and later with pauses', async () => {
    const { issuer, manager, clock } = setUp()
    for (const attempts of [1, 2]) {
      const wanted = manager.credential()
      await settle()
      expect(issuer.contexts).toHaveLength(attempts)
      const expired = issuer.grant(0)
      expect(await wanted).toBe(expired)
    }
    await expect(manager.credential()).rejects.toMatchObject({ code: 'invalid_response' })
    expect(issuer.contexts).toHaveLength(2)
    clock.advance(2000)
    const again = manager.credential()
    await settle()
    expect(issuer.contexts).toHaveLength(3)
    issuer.grant(60)
    await again
  })
})

describe('when the user must log in', () => {
  test('the issuer is not contacted again until login()', async () => {
    const { clock, issuer, manager, types } = setUp()
    const first = manager.credential()
    await settle()
    issuer.fail(login())
    await expect(first).rejects.toBeInstanceOf(LoginRequiredError)
    clock.advance(86_400_000)
    await expect(manager.credential()).rejects.toMatchObject({ reason: 'grant_rejected' })
    expect(issuer.contexts).toHaveLength(1)
    expect(types().filter((type) => type === 'login_required')).toHaveLength(1)

    const second = manager.login()
    await settle()
    issuer.grant(60)
    await second
  })

  test('the current credential is used until it expires, and the event is reported once', async () => {
    const setting = setUp()
    const { clock, issuer, manager, types } = setting
    const old = await hold(setting, 3600)
    clock.advance(3_300_000)
    await manager.credential()
    await settle()
    issuer.fail(login())
    await settle()
    clock.advance(299_000)
    expect(await manager.credential()).toBe(old)
    expect(types().filter((type) => type === 'login_required')).toHaveLength(1)
    clock.advance(1000)
    await expect(manager.credential()).rejects.toBeInstanceOf(LoginRequiredError)
  })

  test('the user is asked after the credential has expired, although a background renewal could not ask', async () => {
    const setting = setUp({ interactive: true })
    const { clock, issuer, manager } = setting
    await hold(setting, 3600)
    clock.advance(3_300_000)
    await manager.credential()
    await settle()
    issuer.fail(login())
    await settle()
    clock.advance(300_000)
    const wanted = manager.credential()
    await settle()
    expect(issuer.contexts.at(-1)).toMatchObject({ interactive: true })
    issuer.grant(60)
    await wanted
  })
})

describe('an abort', () => {
  test('before the call rejects immediately and starts nothing', async () => {
    const { issuer, manager } = setUp()
    const reason = new Error('gone')
    await expect(manager.credential({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await settle()
    expect(issuer.contexts).toHaveLength(0)
  })

  test('rejects only its own caller', async () => {
    const { issuer, manager } = setUp()
    const leaving = new AbortController()
    const left = manager.credential({ signal: leaving.signal })
    const stays = manager.credential({ signal: new AbortController().signal })
    await settle()
    const reason = new Error('gone')
    leaving.abort(reason)
    await expect(left).rejects.toBe(reason)
    expect(issuer.contexts[0]?.signal.aborted).toBe(false)
    const credential = issuer.grant(60)
    expect(await stays).toBe(credential)
  })

  test('of the last caller cancels the acquisition, and the next caller starts a new one', async () => {
    const { issuer, manager } = setUp()
    const leaving = new AbortController()
    const left = manager.credential({ signal: leaving.signal })
    await settle()
    leaving.abort()
    await expect(left).rejects.toThrow()
    expect(issuer.contexts[0]?.signal.aborted).toBe(true)
    const wanted = manager.credential()
    await settle()
    expect(issuer.contexts).toHaveLength(2)
    issuer.fail(new Error('the cancelled one'))
    const credential = issuer.grant(60)
    expect(await wanted).toBe(credential)
  })

  test('before the provider was called leaves nothing running', async () => {
    const { manager } = setUp()
    const leaving = new AbortController()
    const left = manager.credential({ signal: leaving.signal })
    leaving.abort()
    await expect(left).rejects.toThrow()
    // With fake timers the grace period would never end, so this waits only for the flight.
    vi.useFakeTimers()
    try {
      await settle()
      await manager.close()
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('does not cancel an acquisition that has sent a single-use grant; its result is kept', async () => {
    const { issuer, manager } = setUp()
    const leaving = new AbortController()
    const left = manager.credential({ signal: leaving.signal })
    await settle()
    await issuer.contexts[0]?.commit()
    leaving.abort()
    await expect(left).rejects.toThrow()
    expect(issuer.contexts[0]?.signal.aborted).toBe(false)
    const credential = issuer.grant(3600)
    await settle()
    expect(manager.current()).toBe(credential)
  })
})

describe('a rejected credential', () => {
  test('is replaced once, however many requests were refused with it', async () => {
    const setting = setUp()
    const { issuer, manager, events, port } = setting
    const old = await hold(setting, 3600)
    for (let request = 0; request < 200; request += 1) {
      expect(port.rejected(old, {})).toBe(true)
    }
    const wanted = manager.credential()
    await settle()
    expect(issuer.contexts.map(({ reason }) => reason)).toEqual(['missing', 'rejected'])
    const renewed = issuer.grant(3600)
    expect(await wanted).toBe(renewed)
    // Late refusals of the old one are ignored.
    expect(port.rejected(old, {})).toBe(true)
    expect(manager.current()).toBe(renewed)
    expect(events.at(-1)).toMatchObject({ type: 'rejected', late: true })
  })

  test('is not returned again, not even if the renewal fails', async () => {
    const setting = setUp()
    const old = await hold(setting, 3600)
    setting.port.rejected(old, {})
    const wanted = setting.manager.credential()
    await settle()
    setting.issuer.fail(unavailable())
    await expect(wanted).rejects.toMatchObject({ code: 'server_error' })
    await expect(setting.manager.credential()).rejects.toMatchObject({ code: 'server_error' })
  })

  test('leads to increasingly rare renewals if the server refuses every credential', async () => {
    const setting = setUp()
    const { clock, issuer, manager, port } = setting
    await hold(setting, 36_000)
    let renewals = 0
    for (let second = 0; second < 600; second += 1) {
      const credential = await manager.credential()
      if (port.rejected(credential, {})) {
        const wanted = manager.credential()
        await settle()
        issuer.grant(36_000)
        await wanted
        renewals += 1
      }
      clock.advance(1000)
    }
    expect(renewals).toBeLessThanOrEqual(10)
    expect(renewals).toBeGreaterThan(4)
  })

  test('no longer delays renewals after the server has accepted one', async () => {
    const setting = setUp()
    const { clock, issuer, manager, port } = setting
    for (let round = 0; round < 5; round += 1) {
      const credential = round === 0 ? await hold(setting, 3600) : await manager.credential()
      expect(port.rejected(credential, {})).toBe(true)
      const wanted = manager.credential()
      await settle()
      port.accepted(issuer.grant(3600))
      port.accepted(await wanted)
      clock.advance(1)
    }
  })
})

describe('additional scopes', () => {
  const scoped = () => setUp({ scoped: true })

  test('are requested as the union, and not in an ordinary renewal', async () => {
    const setting = scoped()
    const { issuer, manager, port } = setting
    const first = manager.credential()
    await settle()
    issuer.grant(3600, { scope: 'read' })
    const credential = await first
    const wanted = port.stepUp(credential, 'write', noOptions)
    await settle()
    expect(issuer.contexts[1]).toMatchObject({ reason: 'insufficient_scope', scope: 'read write' })
    const wider = issuer.grant(3600, { scope: 'read write' })
    expect(await wanted).toBe(wider)
    expect(manager.current()).toBe(wider)
  })

  test('are requested once for many callers, and not again within ten minutes', async () => {
    const setting = scoped()
    const { clock, issuer, manager, port } = setting
    const credential = await hold(setting, 36_000)
    const wanted = [
      port.stepUp(credential, 'write', noOptions),
      port.stepUp(credential, 'write', noOptions),
    ]
    await settle()
    expect(issuer.waiting).toBe(1)
    issuer.fail(new CredentialError('access_denied', 'No.'))
    await Promise.all(wanted.map((each) => expect(each).rejects.toThrow('No.')))
    expect(await port.stepUp(credential, 'write', noOptions)).toBeUndefined()
    expect(manager.current()).toBe(credential)
    clock.advance(600_000)
    const again = port.stepUp(credential, 'write', noOptions)
    await settle()
    issuer.grant(3600, { scope: 'write' })
    await again
  })

  test('are not requested from a provider without scopes', async () => {
    const setting = setUp()
    const credential = await hold(setting, 3600)
    expect(await setting.port.stepUp(credential, 'write', noOptions)).toBeUndefined()
  })
})

describe('a provider that fails after its server has consumed the grant', () => {
  test('receives what it salvaged as the previous credential', async () => {
    const setting = setUp()
    const { clock, issuer, manager } = setting
    await hold(setting, 60)
    clock.advance(61_000)
    const failing = manager.credential()
    await settle()
    const rest = { apply: () => {} }
    issuer.contexts[1]?.salvage(rest)
    issuer.fail(unavailable())
    await expect(failing).rejects.toThrow()
    clock.advance(30_000)
    const wanted = manager.credential()
    await settle()
    expect(issuer.contexts[2]?.previous).toBe(rest)
    const renewed = issuer.grant(60)
    await wanted
    clock.advance(61_000)
    const later = manager.credential()
    await settle()
    expect(issuer.contexts[3]?.previous).toBe(renewed)
    issuer.grant(60)
    await later
  })

  test('keeps its own records', async () => {
    const setting = setUp()
    await hold(setting, 60)
    const records = setting.issuer.contexts[0]?.records
    const record = { version: 1, provider: 'issuer', data: { clientId: 'c' } } as const
    await records?.set('key', record)
    expect(await records?.get('key')).toEqual(record)
    expect(await records?.delete('key')).toBe(true)
    expect(await records?.get('key')).toBeUndefined()
  })
})

describe('the clock', () => {
  const reading = (setting: Setting, offset: number) => ({
    date: new Date(setting.clock.now() + offset).toUTCString(),
    age: null,
    sentAt: setting.clock.now(),
    receivedAt: setting.clock.now(),
  })

  test('of the server is determined from a refusal, and passed to the provider', async () => {
    const setting = setUp()
    const { issuer, clock, port } = setting
    expect(port.observeClock(reading(setting, 600_000), 0)).toBe(true)
    // Another attempt does not help a request that used the corrected time.
    expect(port.observeClock(reading(setting, 600_000), port.clockOffset)).toBe(false)
    await hold(setting, 60)
    // The header's time is truncated to seconds, so half a second is added.
    expect((issuer.contexts[0]?.serverNow() ?? 0) - clock.now()).toBe(600_500)
  })

  test('is not corrected for small differences, cached responses and broken clocks', () => {
    const setting = setUp()
    const { types, port } = setting
    expect(port.observeClock(reading(setting, 20_000), 0)).toBe(false)
    expect(port.observeClock({ ...reading(setting, 600_000), age: '5' }, 0)).toBe(false)
    expect(port.observeClock({ ...reading(setting, 600_000), date: 'soon' }, 0)).toBe(false)
    expect(port.observeClock(reading(setting, 2 * 86_400_000), 0)).toBe(false)
    expect(port.clockOffset).toBe(0)
    expect(types()).toEqual(['clock_offset'])
  })
})

describe('keepFresh', () => {
  test('renews with one timer without requests, and stops at close()', async () => {
    vi.useFakeTimers()
    try {
      const issuer = testIssuer()
      const manager = new TokenManager(issuer.provider, {
        resource,
        renewal: { keepFresh: true },
        random: () => 0,
      })
      const wanted = manager.credential()
      await settle()
      issuer.grant(60)
      await wanted
      expect(vi.getTimerCount()).toBe(1)
      await vi.advanceTimersByTimeAsync(30_000)
      expect(issuer.contexts.map(({ reason }) => reason)).toEqual(['missing', 'expiring'])
      issuer.grant(60)
      await settle()
      await manager.close()
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('does not overflow the timer with a credential of a month', async () => {
    vi.useFakeTimers()
    try {
      const issuer = testIssuer()
      const manager = new TokenManager(issuer.provider, { resource, renewal: { keepFresh: true } })
      const wanted = manager.credential()
      await settle()
      issuer.grant(30 * 86_400)
      await wanted
      await vi.advanceTimersByTimeAsync(86_400_000)
      expect(issuer.contexts).toHaveLength(1)
      await manager.close()
    } finally {
      vi.useRealTimers()
    }
  })

  test('if not set, leaves no timer after an acquisition', async () => {
    vi.useFakeTimers()
    try {
      const issuer = testIssuer()
      const manager = new TokenManager(issuer.provider, { resource })
      const wanted = manager.credential()
      await settle()
      issuer.grant(60)
      await wanted
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  test('the time limit of a login is an error that names login()', async () => {
    vi.useFakeTimers()
    try {
      const provider: CredentialProvider = {
        name: 'login',
        interactive: true,
        acquire: () => new Promise(() => {}),
      }
      const manager = new TokenManager(provider, { resource, acquireTimeout: 5, now: Date.now })
      const wanted = expect(manager.credential()).rejects.toMatchObject({
        code: 'timeout',
        message: expect.stringMatching(/5 s\. Call `login\(\)`.*`acquireTimeout`/),
      })
      await vi.advanceTimersByTimeAsync(5000)
      await wanted
    } finally {
      vi.useRealTimers()
    }
  })

  test('the time limit of an acquisition is an error that states the limit', async () => {
    vi.useFakeTimers()
    try {
      const { manager, issuer } = setUp({}, { acquireTimeout: 5, now: Date.now })
      const wanted = expect(manager.credential()).rejects.toMatchObject({
        code: 'timeout',
        message: expect.stringMatching(/5 s\. Raise `acquireTimeout`, or check what/),
      })
      await vi.advanceTimersByTimeAsync(5000)
      await wanted
      expect(issuer.contexts[0]?.signal.aborted).toBe(true)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('close()', () => {
  test('rejects later calls, is idempotent, and is also the disposal', async () => {
    const setting = setUp()
    const credential = await hold(setting, 3600)
    const { manager, types, port } = setting
    await Promise.all([manager.close(), manager.close(), manager[Symbol.asyncDispose]()])
    expect(manager.current()).toBeUndefined()
    expect(port.rejected(credential, {})).toBe(false)
    await expect(manager.credential()).rejects.toMatchObject({ code: 'closed' })
    expect(types().filter((type) => type === 'closed')).toHaveLength(1)
  })

  test('cancels running acquisitions, and waits for a grant that was sent', async () => {
    const cancellable = setUp()
    const refused = expect(cancellable.manager.credential()).rejects.toMatchObject({
      code: 'closed',
    })
    await settle()
    await cancellable.manager.close()
    await refused

    const committed = setUp()
    const wanted = committed.manager.credential()
    await settle()
    await committed.issuer.contexts[0]?.commit()
    let closed = false
    const closing = committed.manager.close().then(() => {
      closed = true
    })
    await settle()
    expect(closed).toBe(false)
    const credential = committed.issuer.grant(60)
    expect(await wanted).toBe(credential)
    await closing
  })
})

describe('reporting', () => {
  test('ignores errors of a listener', async () => {
    const setting = setUp(
      {},
      {
        onEvent: () => {
          throw new Error('listener')
        },
      },
    )
    await hold(setting, 60)
  })

  test('shows no secret in a failure, an event or a printed object', async () => {
    const canary = 'cAnArY-0123456789-abcdefghijklmnopqrstuvwxyz'
    const forms = [canary, encodeURIComponent(canary), btoa(canary), btoa(`x${canary}`).slice(4)]
    const seen: unknown[] = []
    const failures = [
      new Error(`POST https://user:${canary}@issuer.example.com failed`),
      new TypeError(`Headers.set: "Bearer ${canary}" is an invalid header value`),
      Object.assign(new Error('bad answer'), { cause: { body: { access_token: canary } } }),
      canary,
    ]
    for (const failure of failures) {
      const { issuer, manager, events } = setUp()
      const wanted = manager.credential()
      await settle()
      issuer.fail(failure)
      const error = await wanted.catch((thrown: unknown) => thrown)
      const cooling = await manager.credential().catch((thrown: unknown) => thrown)
      seen.push(error, cooling, events, manager)
    }
    const setting = setUp()
    await hold(setting, 60)
    seen.push(setting.manager, setting.events)
    for (const value of seen) {
      const texts = [
        inspect(value, { depth: 10, showHidden: true }),
        String(value),
        JSON.stringify(value) ?? '',
        value instanceof Error ? (value.stack ?? '') : '',
      ]
      for (const text of texts) for (const form of forms) expect(text).not.toContain(form)
    }
  })
})

describe('invalid options', () => {
  const { provider } = testIssuer()
  test.each([
    ['renewal.earlyWindow', { renewal: { earlyWindow: 0 } }],
    ['renewal.earlyWindow', { renewal: { earlyWindow: Number.NaN } }],
    ['renewal.hardMargin', { renewal: { hardMargin: -1 } }],
    ['renewal.hardMargin', { renewal: { hardMargin: 300 } }],
    ['renewal.keepFresh', { renewal: { keepFresh: 'yes' as never } }],
    ['renewal.jitter', { renewal: { jitter: 1.1 } }],
    ['acquireTimeout', { acquireTimeout: 0 }],
    ['resource', { resource: 'nowhere' }],
    ['resource', { resource: 'file:///etc/passwd' }],
    ['resource', { resource: 'https://user:canary@mcp.example.com' }],
  ])('such as %s are rejected: %o', (option, options) => {
    let thrown: unknown
    try {
      new TokenManager(provider, { resource, ...options })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(ConfigurationError)
    expect(thrown).toMatchObject({ option })
    expect(inspect(thrown)).not.toContain('canary')
  })

  test.each([
    [
      { renewal: { earlyWindow: 5 } },
      '`renewal.hardMargin` (10 by default) must be smaller than `renewal.earlyWindow`; set both.',
    ],
    [{ renewal: { jitter: 2 } }, '`renewal.jitter` must be a number from 0 to 1.'],
    [{ renewal: { hardMargin: -1 } }, '`renewal.hardMargin` must be a positive number of seconds.'],
    [{ renewal: { keepFresh: 1 as never } }, '`renewal.keepFresh` must be `true` or `false`.'],
  ])('such as %o are rejected with the correct form', (options, message) => {
    expect(() => new TokenManager(provider, { resource, ...options })).toThrow(message)
  })

  test('include a provider whose `refused` is not a function', () => {
    const wrong = { ...provider, refused: true as never }
    expect(() => new TokenManager(wrong, { resource })).toThrow(
      expect.objectContaining({ option: 'provider.refused' }) as unknown as Error,
    )
  })

  test('include a value that is not a provider', () => {
    expect(() => new TokenManager({} as CredentialProvider, { resource })).toThrow(
      ConfigurationError,
    )
  })

  test('a provider that resolves to no credential causes an error that says what to return', async () => {
    const manager = new TokenManager(
      { name: 'wrong', acquire: async () => 'token' as never },
      { resource },
    )
    await expect(manager.credential()).rejects.toMatchObject({
      code: 'invalid_response',
      message: expect.stringContaining('apply'),
    })
  })
})
