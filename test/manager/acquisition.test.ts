import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { Credential } from '../../src/index.ts'
import { Acquisition, type AcquisitionHost, type Outcome } from '../../src/manager/acquisition.ts'
import type { Obtained } from '../../src/manager/obtained.ts'
import { deferred, settle } from '../support/clock.ts'

const credential: Credential = { apply: () => {} }

function setUp(limitMs = 30_000, background = false) {
  const answer = deferred<Obtained>()
  const outcomes: Outcome[] = []
  const discarded: Obtained[] = []
  let released = 0
  const host: AcquisitionHost = {
    obtain: () => answer.promise,
    release: () => {
      released += 1
    },
    settle(_acquisition, outcome) {
      outcomes.push(outcome)
      if ('error' in outcome) throw outcome.error
      return outcome.obtained.credential
    },
    discard: (_acquisition, obtained) => void discarded.push(obtained),
    timeoutError: () => new Error('too slow'),
  }
  const request = { reason: 'missing', background, scope: undefined, challenges: [] } as const
  const start = { epoch: 0, generation: 0, previous: undefined, startedAt: 0, limitMs }
  const acquisition = new Acquisition(request, start, host)
  const grant = () => answer.resolve({ credential, source: 'network' })
  return { acquisition, answer, grant, outcomes, discarded, released: () => released }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('an acquisition', () => {
  test('frees its slot before its result is applied, and leaves no timer', async () => {
    const { acquisition, grant, outcomes, released } = setUp()
    grant()
    expect(await acquisition.flight.result).toBe(credential)
    expect([outcomes.length, released()]).toEqual([1, 1])
    await settle()
    expect(vi.getTimerCount()).toBe(0)
  })

  test('that was cancelled cannot commit, and its late result is discarded', async () => {
    const { acquisition, grant, outcomes, discarded } = setUp()
    await settle()
    const reason = new Error('gone')
    acquisition.cancel(reason)
    await expect(acquisition.flight.result).rejects.toBe(reason)
    expect(() => acquisition.commit()).toThrow(reason)
    grant()
    await settle()
    expect([outcomes, discarded.length]).toEqual([[], 1])
  })

  test('that has ended cannot commit', async () => {
    const { acquisition, grant } = setUp()
    grant()
    await acquisition.flight.result
    expect(() => acquisition.commit()).toThrow('has ended')
    expect(acquisition.committed).toBe(false)
  })

  test('that is cancelled before it starts does not call the provider', async () => {
    const { acquisition, outcomes, discarded } = setUp()
    acquisition.cancel(new Error('gone'))
    await settle()
    expect([outcomes, discarded]).toEqual([[], []])
  })

  test('is aborted at its time limit', async () => {
    const { acquisition, released } = setUp(5000)
    const waiting = expect(acquisition.flight.result).rejects.toThrow('too slow')
    await vi.advanceTimersByTimeAsync(5000)
    await waiting
    expect([acquisition.signal.aborted, released()]).toEqual([true, 1])
  })

  test('that has sent its grant continues after the time limit and keeps its slot', async () => {
    const { acquisition, grant, outcomes, released } = setUp(5000)
    acquisition.commit()
    const waiting = expect(acquisition.flight.result).rejects.toThrow('too slow')
    await vi.advanceTimersByTimeAsync(5000)
    await waiting
    expect([acquisition.overdue, acquisition.signal.aborted, released()]).toEqual([true, false, 0])
    grant()
    await settle()
    expect([acquisition.overdue, released()]).toEqual([false, 1])
    expect(outcomes.at(-1)).toHaveProperty('obtained')
  })

  test('that has sent its grant is abandoned after twice the time limit, without being aborted', async () => {
    const { acquisition, released } = setUp(5000)
    acquisition.commit()
    await vi.advanceTimersByTimeAsync(9999)
    expect(acquisition.unwanted.aborted).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect([acquisition.unwanted.aborted, acquisition.signal.aborted, released()]).toEqual([
      true,
      false,
      1,
    ])
  })

  test('that is detached frees its slot immediately, and is abandoned after the time limit', async () => {
    const { acquisition, released } = setUp(5000)
    acquisition.commit()
    const reason = new Error('logged out')
    acquisition.detach(reason)
    await expect(acquisition.flight.result).rejects.toBe(reason)
    expect([acquisition.unwanted.aborted, released()]).toEqual([false, 1])
    await vi.advanceTimersByTimeAsync(5000)
    expect([acquisition.unwanted.aborted, acquisition.signal.aborted]).toEqual([true, false])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is not ended immediately by a time limit of a month', async () => {
    const { acquisition, grant } = setUp(30 * 86_400_000)
    await vi.advanceTimersByTimeAsync(29 * 86_400_000)
    expect(acquisition.signal.aborted).toBe(false)
    grant()
    expect(await acquisition.flight.result).toBe(credential)
  })

  test('accepts a response that arrived while the process was suspended', async () => {
    const { acquisition, grant } = setUp(5000)
    // When the process resumes, the timer fires before the sockets are read.
    const suspended = vi.spyOn(performance, 'now').mockReturnValue(performance.now() + 60_000)
    await vi.advanceTimersByTimeAsync(5000)
    suspended.mockRestore()
    expect(acquisition.signal.aborted).toBe(false)
    grant()
    expect(await acquisition.flight.result).toBe(credential)
  })
})

describe('an acquisition in a Worker', () => {
  beforeEach(() => void vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' }))
  afterEach(() => void vi.unstubAllGlobals())

  test('is lost if its time limit never fired, and its late result is discarded', async () => {
    const { acquisition, grant, outcomes, discarded } = setUp(5000)
    await settle()
    // Its timer ended with its request.
    vi.clearAllTimers()
    vi.advanceTimersByTime(5300)
    expect(acquisition.lost).toBe(true)
    acquisition.lose()
    grant()
    await settle()
    expect([outcomes.length, discarded.length]).toEqual([0, 1])
  })

  test('is lost if it is overdue and has no result after another time limit', async () => {
    const { acquisition } = setUp(5000)
    acquisition.commit()
    acquisition.flight.result.catch(() => {})
    await vi.advanceTimersByTimeAsync(5000)
    expect([acquisition.overdue, acquisition.lost]).toEqual([true, false])
    vi.clearAllTimers()
    // Clearing the timers has set the clock back, too.
    vi.advanceTimersByTime(10_300)
    expect(acquisition.lost).toBe(true)
  })

  test('that is aborted in time is not lost, even if the runtime forbids aborting its resources', async () => {
    const { acquisition } = setUp(5000)
    vi.spyOn(AbortController.prototype, 'abort').mockImplementation(() => {
      throw new Error('another request')
    })
    const reason = new Error('gone')
    acquisition.cancel(reason)
    await expect(acquisition.flight.result).rejects.toBe(reason)
    expect(acquisition.lost).toBe(false)
    vi.restoreAllMocks()
  })
})
