import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startWorkerHost, type WorkerHost } from './worker-host.ts'

// Three sets of rules: a request's work can go on after its answer; it ends, and whoever waits for it learns
// that; and before 2024-10-14, whoever waits for it learns nothing.
describe.each(['2026-11-17', '2025-06-01', '2024-01-01'])('in workerd, with the rules of %s', (date) => {
  let host: WorkerHost
  beforeAll(async () => {
    host = await startWorkerHost(date)
  }, 60_000)
  afterAll(() => host?.stop())

  it('one credential serves one request after another', async () => {
    for (let request = 0; request < 4; request += 1) {
      expect(await host.call({ scenario: 'sequence' })).toEqual({ status: 200, token: 'token-1' })
    }
    expect(host.behaviour('sequence').asked).toBe(1)
  })

  it('requests at the same time share the acquisition that another one started', async () => {
    const behaviour = host.behaviour('crowd')
    behaviour.issuerDelay = 400
    const first = host.call({ scenario: 'crowd' })
    await delay(100)
    const others = [1, 2, 3, 4].map(() => host.call({ scenario: 'crowd' }))

    const answers = await Promise.all([first, ...others])
    expect(answers).toEqual(answers.map(() => ({ status: 200, token: 'token-1' })))
    expect(behaviour.asked).toBe(1)
  })

  it('requests get a credential although the one that started the acquisition has been answered', async () => {
    const behaviour = host.behaviour('starter-leaves')
    behaviour.issuerDelay = 600
    const starter = host.call({ scenario: 'starter-leaves', leaveAfter: 250 })
    await delay(100)
    const others = [1, 2, 3].map(() => host.call({ scenario: 'starter-leaves' }))

    expect(await starter).toEqual({ left: true })
    const answers = await Promise.all(others)
    expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200, 200])
    expect(behaviour.asked).toBeLessThanOrEqual(2)
  })

  it('requests get a credential although the one that started the acquisition was aborted', async () => {
    const behaviour = host.behaviour('starter-aborts')
    behaviour.issuerDelay = 600
    const starter = host.call({ scenario: 'starter-aborts', abortAfter: 250 })
    await delay(100)
    const others = [1, 2, 3].map(() => host.call({ scenario: 'starter-aborts' }))

    expect(await starter).toEqual({ error: 'Error : The caller has gone.' })
    const answers = await Promise.all(others)
    expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200, 200])
    expect(behaviour.asked).toBeLessThanOrEqual(2)
  })

  it('the abort of one request rejects that one alone', async () => {
    const behaviour = host.behaviour('one-aborts')
    behaviour.issuerDelay = 600
    const starter = host.call({ scenario: 'one-aborts' })
    await delay(100)
    const other = host.call({ scenario: 'one-aborts', abortAfter: 100 })

    expect(await other).toEqual({ error: 'Error : The caller has gone.' })
    expect(await starter).toEqual({ status: 200, token: 'token-1' })
    expect(behaviour.asked).toBe(1)
  })

  it('a request that comes after an acquisition died with its request starts another', async () => {
    const behaviour = host.behaviour('late-joiner')
    behaviour.issuerDelay = 400
    expect(await host.call({ scenario: 'late-joiner', leaveAfter: 100 })).toEqual({ left: true })
    await delay(600)
    behaviour.issuerDelay = 0

    const { status, error } = await host.call({ scenario: 'late-joiner' })
    expect(error ?? status).toBe(200)
  })

  it('a renewal in the background that died with its request is made up for at expiry', async () => {
    const behaviour = host.behaviour('background')
    await host.call({ scenario: 'background' })
    behaviour.issuerDelay = 500
    // Within the early window, so the request is answered while the renewal has just begun.
    expect(await host.call({ scenario: 'background', forward: 3550 })).toMatchObject({ status: 200 })
    await delay(700)
    behaviour.issuerDelay = 0

    const answers = await Promise.all(
      [60, 0, 0].map((forward) => host.call({ scenario: 'background', forward })),
    )
    expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200, 200])
    expect(answers.map(({ token }) => token)).not.toContain('token-1')
    expect(behaviour.asked).toBeLessThanOrEqual(3)
  })

  it('a renewal in the background that its request did not wait for is done before expiry', async () => {
    const scenario = 'background-idle'
    const behaviour = host.behaviour(scenario)
    await host.call({ scenario })
    behaviour.issuerDelay = 400
    expect(await host.call({ scenario, forward: 3400 })).toMatchObject({ status: 200 })
    // Longer than the time limit of one acquisition, so that nobody takes it for alive.
    await delay(2000)
    behaviour.issuerDelay = 0
    // This one may still bring the old token; it stays long enough for a renewal to end.
    const bridge = await host.call({ scenario, stayFor: 300 })
    const last = await host.call({ scenario })

    expect([bridge, last].map(({ status, error }) => error ?? status)).toEqual([200, 200])
    expect(last.token).not.toBe('token-1')
  })

  it('requests that are refused at the same time share one renewal', async () => {
    const behaviour = host.behaviour('refused')
    await host.call({ scenario: 'refused' })
    behaviour.refused.add('token-1')
    behaviour.issuerDelay = 300

    const answers = await Promise.all([1, 2, 3, 4].map(() => host.call({ scenario: 'refused' })))
    expect(answers).toEqual(answers.map(() => ({ status: 200, token: 'token-2' })))
    expect(behaviour.asked).toBe(2)
  })

  it('a refused request is renewed for although the one that started the renewal has left', async () => {
    const behaviour = host.behaviour('refused-and-left')
    await host.call({ scenario: 'refused-and-left' })
    behaviour.refused.add('token-1')
    behaviour.issuerDelay = 500
    const starter = host.call({ scenario: 'refused-and-left', leaveAfter: 250 })
    await delay(100)
    const others = [1, 2].map(() => host.call({ scenario: 'refused-and-left' }))

    expect(await starter).toEqual({ left: true })
    const answers = await Promise.all(others)
    expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200])
    expect(behaviour.asked).toBeLessThanOrEqual(3)
  })

  it('an issuer that never answers ends in the time limit for everybody, and heals', async () => {
    const behaviour = host.behaviour('time-limit')
    behaviour.issuerDelay = Number.POSITIVE_INFINITY
    const starter = host.call({ scenario: 'time-limit' })
    await delay(100)
    const answers = await Promise.all([starter, host.call({ scenario: 'time-limit' })])
    for (const { error } of answers) expect(error).toMatch(/^CredentialError timeout/)
    behaviour.issuerDelay = 0
    await delay(1100)

    const { status, error } = await host.call({ scenario: 'time-limit' })
    expect(error ?? status).toBe(200)
  })

  it('a time limit holds for those whose acquisition died with another request', async () => {
    const behaviour = host.behaviour('time-limit')
    behaviour.issuerDelay = Number.POSITIVE_INFINITY
    const starter = host.call({ scenario: 'time-limit', leaveAfter: 200, forward: 7200 })
    await delay(100)
    const other = host.call({ scenario: 'time-limit' })

    expect(await starter).toEqual({ left: true })
    expect((await other).error).toMatch(/^CredentialError timeout/)
  })

  it('an issuer that is down is asked again after the pause', async () => {
    const behaviour = host.behaviour('issuer-down')
    behaviour.issuerStatus = 503
    const { error } = await host.call({ scenario: 'issuer-down' })
    expect(error).toMatch(/^CredentialError server_error/)
    behaviour.issuerStatus = 200
    await delay(1100)

    const answer = await host.call({ scenario: 'issuer-down' })
    expect(answer.error ?? answer.status).toBe(200)
  })

  it('nothing is reported as unhandled, hung or touched by another request', () => {
    expect(host.output()).toBe('')
  })
})
