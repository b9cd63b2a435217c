import { describe, expect, test } from 'vitest'
import { RateWindow } from '../src/rate-window.ts'

describe('a rate window', () => {
  test('allows three events in ten minutes, and the next when the first is ten minutes old', () => {
    const window = new RateWindow()
    for (const now of [0, 1000, 2000]) {
      expect(window.pauseMs(now)).toBe(0)
      window.add(now)
    }
    expect(window.isFull(2000)).toBe(true)
    expect(window.pauseMs(2000)).toBe(598_000)
    expect(window.isFull(599_999)).toBe(true)
    expect(window.isFull(600_000)).toBe(false)
    expect(window.recent(600_000)).toEqual([1000, 2000])
  })

  test('allows as many as its user says', () => {
    const window = new RateWindow([0, 1, 2])
    expect(window.isFull(3)).toBe(true)
    expect(window.isFull(3, 5)).toBe(false)
    window.add(3)
    window.add(4)
    expect(window.isFull(5, 5)).toBe(true)
  })

  test('does not count an event that was taken back, nor any that were cleared', () => {
    const window = new RateWindow([0, 1, 2])
    window.undo()
    expect(window.recent(3)).toEqual([0, 1])
    window.clear()
    expect(window.recent(3)).toEqual([])
  })

  test('does not wait for events that lie far ahead, since the clock was set back', () => {
    const window = new RateWindow([5_000_000, 5_000_001, 5_000_002])
    expect(window.isFull(0)).toBe(false)
  })
})
