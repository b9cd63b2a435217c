import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../support/tokens.ts'
import type { WorkerAnswer } from './worker.ts'
import { startWorkerHost, type WorkerHost } from './worker-host.ts'

// Three sets of rules: a request's work can go on after its answer; it ends, and whoever waits for it learns
// that; and before 2024-10-14, whoever waits for it learns nothing.
const dates = ['2026-11-17', '2025-06-01', '2024-01-01']

describe.concurrent.each(dates)('with the rules of %s', (date) => {
  describe.sequential('requests that share one fetch in workerd', () => {
    // The runtime itself ends a request that another one rejects, or that waits for another one's work.
    const isCrossing = date >= '2024-10-14'
    let host: WorkerHost
    beforeAll(async () => {
      host = await startWorkerHost(date)
    })
    afterAll(() => host?.stop())

    /** Waits until the issuer has been asked for so many tokens. */
    const askedFor = (scenario: string, tokens = 1) =>
      until(() => host.behaviour(scenario).asked === tokens, `${tokens} questions to the issuer`)

    /**
     * What others are answered who wait for the acquisition of one that has left. The issuer is held until then.
     *
     * @param tokens - How many tokens the issuer has been asked for by then.
     */
    async function answersAfterLeaving(
      scenario: string,
      others: number,
      tokens = 1,
    ): Promise<readonly WorkerAnswer[]> {
      const release = host.behaviour(scenario).holdIssuer()
      const starter = host.call({ scenario, leaveAfter: 400 })
      await askedFor(scenario, tokens)
      const waiting = Array.from({ length: others }, () => host.call({ scenario }))
      expect(await starter).toEqual({ left: true })
      release()
      return Promise.all(waiting)
    }

    /** Calls until one call is served, as a pause after a failure may take its time. */
    const served = (scenario: string) =>
      expect
        .poll(
          async () => {
            const { error, status } = await host.call({ scenario })
            return error ?? status
          },
          { timeout: 15_000, interval: 200 },
        )
        .toBe(200)

    it('are served one after another by one credential', async () => {
      for (let request = 0; request < 4; request += 1) {
        expect(await host.call({ scenario: 'unbound' })).toEqual({ status: 200, token: 'token-1' })
      }
      expect(host.behaviour('unbound').asked).toBe(1)
    })

    it('share the acquisition that another one started', async () => {
      const behaviour = host.behaviour('crowd')
      const release = behaviour.holdIssuer()
      const first = host.call({ scenario: 'crowd' })
      await askedFor('crowd')
      const others = [1, 2, 3, 4].map(() => host.call({ scenario: 'crowd' }))
      await delay(100)
      release()

      const answers = await Promise.all([first, ...others])
      expect(answers).toEqual(answers.map(() => ({ status: 200, token: 'token-1' })))
      expect(behaviour.asked).toBe(1)
    })

    it('are answered although the one that brought their credential was answered first', async () => {
      const scenario = 'long-answer'
      Object.assign(host.behaviour(scenario), { issuerDelay: 400, serverDelay: 1600 })
      const starter = host.call({ scenario, leaveAfter: 1200 })
      await delay(100)
      const others = [1, 2].map(() => host.call({ scenario }))

      expect(await starter).toEqual({ left: true })
      const answers = await Promise.all(others)
      expect(answers).toEqual(answers.map(() => ({ status: 200, token: 'token-1' })))
    })

    it('get a credential although the one that started the acquisition has been answered', async () => {
      const answers = await answersAfterLeaving('starter-leaves', 3)
      expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200, 200])
      expect(host.behaviour('starter-leaves').asked).toBeLessThanOrEqual(2)
    })

    it('get a credential although the one that started the acquisition was aborted', async () => {
      const behaviour = host.behaviour('starter-aborts')
      const release = behaviour.holdIssuer()
      const starter = host.call({ scenario: 'starter-aborts', abortAfter: 400 })
      await askedFor('starter-aborts')
      const others = [1, 2, 3].map(() => host.call({ scenario: 'starter-aborts' }))

      expect(await starter).toEqual({ error: 'Error : The caller has gone.' })
      release()
      const answers = await Promise.all(others)
      expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200, 200])
      expect(behaviour.asked).toBeLessThanOrEqual(2)
    })

    it('are aborted one by one', async () => {
      const behaviour = host.behaviour('one-aborts')
      const release = behaviour.holdIssuer()
      const starter = host.call({ scenario: 'one-aborts' })
      await askedFor('one-aborts')
      const other = host.call({ scenario: 'one-aborts', abortAfter: 100 })

      expect(await other).toEqual({ error: 'Error : The caller has gone.' })
      release()
      expect(await starter).toEqual({ status: 200, token: 'token-1' })
      expect(behaviour.asked).toBe(1)
    })

    it('start another acquisition when the last one ended with its request', async () => {
      const release = host.behaviour('late-joiner').holdIssuer()
      expect(await host.call({ scenario: 'late-joiner', leaveAfter: 100 })).toEqual({ left: true })
      release()
      await delay(200)

      const { status, error } = await host.call({ scenario: 'late-joiner' })
      expect(error ?? status).toBe(200)
    })

    it('renew at expiry what ended in the background with its request', async () => {
      const behaviour = host.behaviour('background')
      await host.call({ scenario: 'background' })
      behaviour.issuerDelay = 500
      // Within the early window, so the request is answered while the renewal has just begun.
      expect(await host.call({ scenario: 'background', forward: 3550 })).toMatchObject({
        status: 200,
      })
      await delay(700)
      behaviour.issuerDelay = 0

      const answers = await Promise.all(
        [60, 0, 0].map((forward) => host.call({ scenario: 'background', forward })),
      )
      expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200, 200])
      expect(answers.map(({ token }) => token)).not.toContain('token-1')
      expect(behaviour.asked).toBeLessThanOrEqual(3)
    })

    it('renew before expiry although the request that began did not wait for it', async () => {
      const scenario = 'background-idle'
      const behaviour = host.behaviour(scenario)
      await host.call({ scenario })
      behaviour.issuerDelay = 400
      expect(await host.call({ scenario, forward: 3400 })).toMatchObject({ status: 200 })
      // Longer than the time limit of one acquisition, so that nobody takes it for alive.
      await delay(2000)
      behaviour.issuerDelay = 0
      // The first may still bring the old token; it stays long enough for a renewal to end.
      const tokenOf = async () => {
        const { error, token } = await host.call({ scenario, stayFor: 300 })
        return error ?? token
      }

      await expect.poll(tokenOf, { timeout: 10_000 }).toMatch(/^token-[23]$/)
    })

    it('share one renewal when they are refused at the same time', async () => {
      const behaviour = host.behaviour('refused')
      await host.call({ scenario: 'refused' })
      behaviour.refused.add('token-1')
      const release = behaviour.holdIssuer()

      const calls = [1, 2, 3, 4].map(() => host.call({ scenario: 'refused' }))
      await askedFor('refused', 2)
      await delay(100)
      release()
      const answers = await Promise.all(calls)
      expect(answers).toEqual(answers.map(() => ({ status: 200, token: 'token-2' })))
      expect(behaviour.asked).toBe(2)
    })

    it('are renewed for after a refusal although the one that started the renewal has left', async () => {
      const behaviour = host.behaviour('refused-and-left')
      await host.call({ scenario: 'refused-and-left' })
      behaviour.refused.add('token-1')

      const answers = await answersAfterLeaving('refused-and-left', 2, 2)
      expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200])
      expect(behaviour.asked).toBeLessThanOrEqual(3)
    })

    it('all end in the time limit of an issuer that never answers, and heal', async () => {
      const behaviour = host.behaviour('time-limit')
      behaviour.issuerDelay = Number.POSITIVE_INFINITY
      const starter = host.call({ scenario: 'time-limit' })
      await delay(100)
      const answers = await Promise.all([starter, host.call({ scenario: 'time-limit' })])
      for (const { error } of answers) expect(error).toMatch(/^CredentialError timeout/)
      behaviour.issuerDelay = 0

      await served('time-limit')
    })

    it('keep to the time limit when their acquisition ended with another request', async () => {
      const scenario = 'time-limit-left'
      host.behaviour(scenario).issuerDelay = Number.POSITIVE_INFINITY
      const starter = host.call({ scenario, leaveAfter: 400 })
      await askedFor(scenario)
      const other = host.call({ scenario })

      expect(await starter).toEqual({ left: true })
      expect((await other).error).toMatch(/^CredentialError timeout/)
    })

    it('ask an issuer that was down again after the pause', async () => {
      const behaviour = host.behaviour('issuer-down')
      behaviour.issuerStatus = 503
      const { error } = await host.call({ scenario: 'issuer-down' })
      expect(error).toMatch(/^CredentialError server_error/)
      behaviour.issuerStatus = 200

      await served('issuer-down')
    })

    it('get a credential although a single-use grant was sent by one that has been answered', async () => {
      const answers = await answersAfterLeaving('single-use', 2)
      expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200])
      // Where a request's work goes on after its answer, the grant is not spent a second time.
      const mayEnd = date < '2026-01-01'
      expect(host.behaviour('single-use').asked).toBe(mayEnd ? 2 : 1)
    })

    it('are served again when the answer to a single-use grant never came', async () => {
      const scenario = 'overdue'
      const behaviour = host.behaviour(scenario)
      behaviour.issuerDelay = Number.POSITIVE_INFINITY
      const { error } = await host.call({ scenario })
      expect(error).toMatch(/^CredentialError outcome_unknown/)
      behaviour.issuerDelay = 0

      await served(scenario)
    })

    it.runIf(isCrossing)(
      'take over the lock of a record from one that ended while it held it',
      async () => {
        const answers = await answersAfterLeaving('stored', 3)
        expect(answers.map(({ status, error }) => error ?? status)).toEqual([200, 200, 200])
        expect(host.behaviour('stored').asked).toBeLessThanOrEqual(2)
      },
    )

    it.runIf(isCrossing)('hold a lock one after another although the first has left', async () => {
      const first = host.call({ scenario: 'lock', lockFor: 2000, leaveAfter: 800 })
      await delay(300)
      const others = [1, 2, 3].map(() => host.call({ scenario: 'lock', lockFor: 100 }))

      expect(await first).toEqual({ left: true })
      // The first still counts, because nothing of it runs again.
      for (const answer of await Promise.all(others)) expect(answer).toEqual({ holders: 2 })
    })

    it('log in with OAuth, once for all', async () => {
      const answers = await Promise.all([1, 2, 3].map(() => host.call({ scenario: 'oauth' })))
      expect(answers).toEqual(answers.map(() => ({ status: 200, token: 'token-1' })))
      expect(host.behaviour('oauth').asked).toBe(1)
    })

    it.runIf(isCrossing)('are rejected when one of them closes the manager', async () => {
      const scenario = 'closed'
      host.behaviour(scenario).issuerDelay = Number.POSITIVE_INFINITY
      const waiting = [1, 2].map(() => host.call({ scenario, manager: 'credential' }))
      await delay(200)
      await host.call({ scenario, manager: 'close' })

      for (const { error } of await Promise.all(waiting)) expect(error).toMatch(/ closed:/)
      const { error } = await host.call({ scenario, manager: 'credential' })
      expect(error).toMatch(/ closed:/)
    })

    it('log in anew after one of them has logged out', async () => {
      const scenario = 'logged-out'
      const behaviour = host.behaviour(scenario)
      await host.call({ scenario, manager: 'credential' })
      expect(await host.call({ scenario, manager: 'logout' })).toEqual({})

      expect(await host.call({ scenario, manager: 'credential' })).toEqual({ status: 200 })
      expect(behaviour.asked).toBe(2)
    })

    it.runIf(isCrossing)(
      'are not held up by a logout whose request ended before it was done',
      async () => {
        const scenario = 'logout-left'
        const behaviour = host.behaviour(scenario)
        await host.call({ scenario, manager: 'credential' })
        behaviour.issuerDelay = 500
        await host.call({ scenario, manager: 'logout', leaveAfter: 100 })
        behaviour.issuerDelay = 0

        expect(await host.call({ scenario, manager: 'credential' })).toEqual({ status: 200 })
      },
    )

    it('leave nothing unhandled, hung or touched by another request', () => {
      // A request that has gone cannot be taken off the promise that it waited for.
      const noise =
        /^Warning: A promise was resolved or rejected from a different request context.*\n\n?/gm
      expect(host.output().replace(noise, '')).toBe('')
    })
  })
})
