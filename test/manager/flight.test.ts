import { describe, expect, test } from 'vitest'
import { Flight } from '../../src/manager/flight.ts'

function flight(detached = false) {
  const deserted: unknown[] = []
  const running = new Flight<string>(detached, (reason) => deserted.push(reason), 5000)
  return { running, deserted }
}

describe('a flight', () => {
  test('gives one result to all who wait', async () => {
    const { running } = flight()
    const waiters = [running.wait(undefined), running.wait(new AbortController().signal)]
    running.resolve('token')
    expect(await Promise.all(waiters)).toEqual(['token', 'token'])
  })

  test('serves those who come after its end', async () => {
    const { running, deserted } = flight()
    running.resolve('token')
    const late = new AbortController()
    expect(await running.wait(late.signal)).toBe('token')
    late.abort(new Error('too late'))
    expect(deserted).toEqual([])
  })

  test('lets one waiter leave with its own reason, and the others stay', async () => {
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

  test('reports the reason of the last waiter that left', async () => {
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
  ])('%s is not deserted by those who join and leave', async (_which, detached) => {
    const { running, deserted } = flight(detached)
    if (!detached) void running.wait(undefined)
    const controller = new AbortController()
    const waiting = running.wait(controller.signal)
    controller.abort()
    await expect(waiting).rejects.toThrow()
    expect(deserted).toEqual([])
  })

  test('that fails while nobody waits leaves no unhandled rejection', async () => {
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
