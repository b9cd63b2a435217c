import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { abortable, onAbort, pause } from '../src/waiting.ts'
import { deferred, settle } from './support/clock.ts'

const listenersOf = (signal: AbortSignal) => getEventListeners(signal, 'abort').length

describe('onAbort()', () => {
  it('adds one listener to a signal, however many wait, and removes it with the last', () => {
    const { signal } = new AbortController()

    const stops = Array.from({ length: 20 }, () => onAbort(signal, () => {}))
    expect(listenersOf(signal)).toBe(1)
    for (const stop of stops) stop()

    expect(listenersOf(signal)).toBe(0)
  })

  it('calls everybody back once, except those who stopped', () => {
    const controller = new AbortController()
    const called: string[] = []
    const same = () => called.push('same')
    onAbort(controller.signal, same)
    onAbort(controller.signal, same)
    onAbort(controller.signal, () => called.push('stopped'))()

    controller.abort()
    onAbort(controller.signal, () => called.push('late'))

    expect(called).toEqual(['same', 'same', 'late'])
  })

  it('listens again after all had stopped', () => {
    const controller = new AbortController()
    let calls = 0
    const stop = onAbort(controller.signal, () => {})
    stop()
    stop()
    onAbort(controller.signal, () => {
      calls += 1
    })
    stop()

    controller.abort()

    expect(calls).toBe(1)
  })
})

describe('abortable()', () => {
  it('rejects with the reason of the first signal that aborts, and listens no longer', async () => {
    const [first, second] = [new AbortController(), new AbortController()]
    const waiting = abortable(new Promise(() => {}), first.signal, undefined, second.signal)
    const reason = new Error('enough')

    second.abort(reason)

    await expect(waiting).rejects.toBe(reason)
  })

  it('removes its listeners when the promise settles', async () => {
    const { signal } = new AbortController()
    const one = deferred<string>()
    const other = deferred<string>()
    const results = [abortable(one.promise, signal), abortable(other.promise, signal)]

    one.resolve('x')
    other.reject(new Error('no'))
    await Promise.allSettled(results)
    await settle()

    expect(listenersOf(signal)).toBe(0)
  })
})

describe('pause()', () => {
  it('ends with either signal, also with one that has aborted before', async () => {
    const controller = new AbortController()
    const other = new AbortController()
    const waiting = pause(60_000, other.signal, controller.signal)

    controller.abort('enough')

    await expect(waiting).rejects.toBe('enough')
    await expect(pause(0, undefined, controller.signal)).rejects.toBe('enough')
    expect(listenersOf(other.signal)).toBe(0)
  })
})
