import { expect, test } from 'vitest'
import type { CredentialStore } from '../../src/index.ts'
import { type StoreSetting, startJudge, startWorker } from './fleet.ts'

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** What every store must do for processes that share one login, with real processes and in real time. */
export function fleetCases(
  open: () => Promise<{ readonly setting: StoreSetting; readonly store: CredentialStore }>,
): void {
  test('8 processes share tokens of three seconds for 20 seconds, and never lose the login', async () => {
    const { setting, store } = await open()
    const judge = await startJudge(3)
    await store.set(`${judge.url} | default`, judge.login())
    const workers = Array.from({ length: 8 }, () => startWorker(judge.url, setting))
    await Promise.all(workers.map(({ ready }) => ready))
    await pause(20_000)
    await Promise.all(workers.map((worker) => worker.stop()))
    const outcomes = workers.flatMap((worker) => worker.outcomes)
    expect(outcomes.filter(({ status }) => status !== 200)).toEqual([])
    expect(judge.revoked).toBe(false)
    expect([...judge.uses.values()].every((count) => count === 1)).toBe(true)
    expect(judge.uses.size).toBeGreaterThan(4)
    expect(outcomes.length).toBeGreaterThan(800)
  })

  test('a holder of the lock that is suspended loses nothing and overwrites nothing', async () => {
    const { setting, store } = await open()
    const judge = await startJudge(2)
    const key = `${judge.url} | default`
    await store.set(key, judge.login())
    let suspended: number | undefined
    judge.onRedeem = (pid) => {
      if (suspended !== undefined) return
      suspended = pid
      process.kill(pid, 'SIGSTOP')
    }
    const workers = Array.from({ length: 3 }, () => startWorker(judge.url, setting))
    await expect.poll(() => suspended, { timeout: 20_000 }).toBeDefined()
    await pause(20_000)
    const before = await store.get(key)
    process.kill(suspended ?? 0, 'SIGCONT')
    await pause(3000)
    await Promise.all(workers.map((worker) => worker.stop()))
    expect((await store.get(key))?.generation).toBeGreaterThanOrEqual(before?.generation ?? 0)
    expect([...judge.uses.values()].filter((count) => count > 1)).toEqual([])
    expect(judge.revoked).toBe(false)
    // What callers may hear meanwhile; the token that the suspended one got has expired on its way.
    const allowed = ['lock_timeout', 'login_required', 'store', 'invalid_response']
    // And the server closed its connections while it slept.
    allowed.push('ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET')
    const errors = workers.flatMap(({ outcomes }) => outcomes.map(({ error }) => error ?? 'none'))
    expect(errors.filter((error) => error !== 'none' && !allowed.includes(error))).toEqual([])
  })
}
