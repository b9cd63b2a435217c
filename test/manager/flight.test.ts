import { describe, expect, test } from 'vitest'
import { Flight } from '../../src/manager/flight.ts'
import { deferred } from '../support/clock.ts'

function flight(background = false) {
  const answer = deferred<string>()
  let seen: AbortSignal | undefined
  let commit: () => void = () => {}
  const running = new Flight<string>((signal, announce) => {
    seen = signal
    commit = announce
    return answer.promise
  }, background)
  return { running, answer, commit: () => commit(), aborted: () => seen?.aborted === true }
}

describe('a flight', () => {
  test('gives one result to all who wait', async () => {
    const { running, answer } = flight()
    const waiters = [running.wait(undefined), running.wait(new AbortController().signal)]
    answer.resolve('token')
    expect(await Promise.all(waiters)).toEqual(['token', 'token'])
  })

  test('serves those who come after its end, and cannot be cancelled any more', async () => {
    const { running, answer, aborted } = flight()
    answer.resolve('token')
    await running.result
    const late = new AbortController()
    expect(await running.wait(late.signal)).toBe('token')
    late.abort(new Error('too late'))
    running.cancel(new Error('too late'))
    expect(aborted()).toBe(false)
  })

  test('lets one waiter leave with its own reason, and the others stay', async () => {
    const { running, answer, aborted } = flight()
    const impatient = new AbortController()
    const leaving = running.wait(impatient.signal)
    const staying = running.wait(new AbortController().signal)
    impatient.abort(new Error('too slow'))
    await expect(leaving).rejects.toThrow('too slow')
    expect(aborted()).toBe(false)
    answer.resolve('token')
    expect(await staying).toBe('token')
  })

  test('is cancelled when the last waiter leaves', async () => {
    const { running, aborted } = flight()
    const controller = new AbortController()
    const waiting = running.wait(controller.signal)
    controller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    expect([aborted(), running.cancelled]).toEqual([true, true])
  })

  test('is not cancelled after a single-use grant was sent', async () => {
    const { running, answer, commit, aborted } = flight()
    const controller = new AbortController()
    const waiting = running.wait(controller.signal)
    commit()
    controller.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    running.cancel(new Error('closing'))
    expect([running.committed, aborted()]).toEqual([true, false])
    answer.resolve('token')
    expect(await running.result).toBe('token')
  })

  test('that nobody asked for is not cancelled by those who join and leave', async () => {
    const { running, aborted } = flight(true)
    const controller = new AbortController()
    const waiting = running.wait(controller.signal)
    controller.abort()
    await expect(waiting).rejects.toThrow()
    expect(aborted()).toBe(false)
  })

  test('can be ended by a time limit in any case', () => {
    const { running, commit, aborted } = flight()
    commit()
    running.abort(new Error('time'))
    expect(aborted()).toBe(true)
  })

  test('that fails while nobody waits leaves no unhandled rejection', async () => {
    const unhandled: unknown[] = []
    const note = (reason: unknown) => unhandled.push(reason)
    process.on('unhandledRejection', note)
    const { answer } = flight(true)
    answer.reject(new Error('nobody cares'))
    await new Promise((resolve) => setImmediate(resolve))
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
})
