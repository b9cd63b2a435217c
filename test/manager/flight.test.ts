import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Flight, startFlight } from '../../src/manager/flight.ts'
import { settle } from '../support/clock.ts'

function flight(detached = false) {
  const deserted: unknown[] = []
  const running = new Flight<string>(detached, (reason) => deserted.push(reason), 5000)
  return { running, deserted }
}

describe('a flight', () => {
  test('returns one result to all waiting callers', async () => {
    const { running } = flight()
    const waiters = [running.wait(undefined), running.wait(new AbortController().signal)]
    running.resolve('token')
    expect(await Promise.all(waiters)).toEqual(['token', 'token'])
  })

  test('returns its result to callers that come after its end', async () => {
    const { running, deserted } = flight()
    running.resolve('token')
    const late = new AbortController()
    expect(await running.wait(late.signal)).toBe('token')
    late.abort(new Error('too late'))
    expect(deserted).toEqual([])
  })

  test('lets one caller leave with its own abort reason while the others wait', async () => {
    const { running, deserted } = flight()
    const impatient = new AbortController()
    const leaving = running.wait(impatient.signal)
    const staying = running.wait(new AbortController().signal)
    impatient.abort(new Error('too slow'))
    await expect(leaving).rejects.toThrow('too slow')
    expect(deserted).toEqual([])
    running.resolve('token')
    expect(await staying).toBe('token')
  })

  test('reports the reason of the last caller that left', async () => {
    const { running, deserted } = flight()
    const controller = new AbortController()
    const reason = new Error('gone')
    const waiting = running.wait(controller.signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(deserted).toEqual([reason])
  })

  test.each([
    ['that runs in the background', true],
    ['that a caller without a signal waits for', false],
  ])('%s is not abandoned when callers join and leave', async (_which, detached) => {
    const { running, deserted } = flight(detached)
    if (!detached) void running.wait(undefined)
    const controller = new AbortController()
    const waiting = running.wait(controller.signal)
    controller.abort()
    await expect(waiting).rejects.toThrow()
    expect(deserted).toEqual([])
  })

  test('that fails without waiting callers leaves no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    flight(true).running.reject(new Error('nobody waits'))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })

  test('prints no warning when twenty callers share one signal', async () => {
    const warnings: Error[] = []
    const note = (warning: Error) => warnings.push(warning)
    process.on('warning', note)
    const { running } = flight()
    const { signal } = new AbortController()
    const waiting = Array.from({ length: 20 }, () => running.wait(signal))
    running.resolve('token')
    await Promise.all(waiting)
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', note)
    expect(warnings).toEqual([])
  })
})

describe('a flight in a Worker', () => {
  beforeEach(() => {
    vi.useFakeTimers()
    vi.stubGlobal('navigator', { userAgent: 'Cloudflare-Workers' })
  })
  afterEach(() => {
    vi.useRealTimers()
    vi.unstubAllGlobals()
    vi.restoreAllMocks()
  })

  test('is lost if it has no result after its time limit, and its callers receive another result', async () => {
    const { running } = flight()
    const other = async () => 'another'
    const waiters = [
      running.wait(undefined, other),
      running.wait(new AbortController().signal, other),
    ]
    const over = running.over(undefined)
    await vi.advanceTimersByTimeAsync(5000)
    expect(running.lost).toBe(false)
    await vi.advanceTimersByTimeAsync(300)
    expect(running.lost).toBe(true)
    expect(await Promise.all(waiters)).toEqual(['another', 'another'])
    await over
    expect(vi.getTimerCount()).toBe(0)
  })

  test('is lost for callers after its time limit, even if no caller was waiting', async () => {
    const { running } = flight()
    vi.advanceTimersByTime(5300)
    expect(running.lost).toBe(true)
    const waiting = running.wait(undefined, async () => 'another')
    await vi.advanceTimersByTimeAsync(0)
    expect(await waiting).toBe('another')
  })

  test.each([
    ['with a result', (running: Flight<string>) => running.resolve('token')],
    ['with an error', (running: Flight<string>) => running.reject(new Error('refused'))],
  ])('that ends in time %s is not lost, and leaves no timer', async (_how, end) => {
    const { running } = flight()
    const controller = new AbortController()
    const other = vi.fn(async () => 'another')
    const waiting = Promise.allSettled([
      running.wait(undefined, other),
      running.wait(controller.signal, other),
      running.over(controller.signal),
    ])
    end(running)
    await waiting
    vi.advanceTimersByTime(60_000)
    expect([running.lost, vi.getTimerCount(), other.mock.calls.length]).toEqual([false, 0, 0])
  })

  test('starts nothing else for a caller that has left, and leaves no timer for it', async () => {
    const { running } = flight(true)
    const controller = new AbortController()
    const other = vi.fn(async () => 'another')
    const leaving = [running.wait(controller.signal, other), running.over(controller.signal)]
    controller.abort(new Error('gone'))
    for (const waiting of leaving) await expect(waiting).rejects.toThrow('gone')
    expect(vi.getTimerCount()).toBe(0)
    vi.advanceTimersByTime(60_000)
    expect(other).not.toHaveBeenCalled()
  })

  test('keeps the request that started it running until it ends', async () => {
    const kept: Promise<unknown>[] = []
    const module = { waitUntil: (promise: Promise<unknown>) => void kept.push(promise) }
    const ask = vi.fn(() => module)
    vi.stubGlobal('process', { getBuiltinModule: ask })
    const running = startFlight(5000, () => Promise.reject(new Error('refused')))
    expect(ask).toHaveBeenCalledWith('cloudflare:workers')
    expect(kept).toHaveLength(1)
    await expect(kept[0]).resolves.toBeUndefined()
    await expect(running.result).rejects.toThrow('refused')
  })

  test('ends with its request if the platform cannot keep requests running', async () => {
    const refuse = () => {
      throw new Error('there is no request')
    }
    vi.stubGlobal('process', { getBuiltinModule: () => ({ waitUntil: refuse }) })
    expect(await startFlight(5000, async () => 'token').result).toBe('token')
  })
})

test('a flight outside a Worker is never lost, and sets no timer', async () => {
  vi.useFakeTimers()
  const { running } = flight()
  const waiting = running.wait(new AbortController().signal)
  const over = running.over(new AbortController().signal)
  expect(vi.getTimerCount()).toBe(0)
  vi.advanceTimersByTime(3_600_000)
  await settle()
  expect(running.lost).toBe(false)
  running.resolve('token')
  await Promise.all([waiting, over])
  vi.useRealTimers()
})
