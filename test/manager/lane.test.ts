import { describe, expect, test } from 'vitest'
import type { Acquisition, AcquisitionRequest } from '../../src/manager/acquisition.ts'
import { Lane, serves } from '../../src/manager/lane.ts'

const request = (more: Partial<AcquisitionRequest>): AcquisitionRequest => ({
  reason: 'missing',
  background: false,
  scope: undefined,
  challenges: [],
  ...more,
})
const stepUp = (scope: string) => request({ reason: 'insufficient_scope', scope })

describe('a caller', () => {
  test.each([
    ['joins a renewal', request({ reason: 'expiring' }), request({}), true],
    ['joins a background renewal', request({ background: true }), request({}), true],
    ['joins a renewal on request', request({ reason: 'forced' }), request({}), true],
    ['waits for a reading of the store', request({ storeOnly: true }), request({}), false],
    ['waits for a step-up', stepUp('admin'), request({}), false],
    [
      'that needs a new credential waits for a renewal',
      request({}),
      request({ reason: 'forced' }),
      false,
    ],
    [
      'that needs a new credential joins another acquisition',
      request({ reason: 'forced' }),
      request({ reason: 'forced' }),
      true,
    ],
    ['that needs a scope waits for a renewal', request({}), stepUp('admin'), false],
    [
      'that needs a scope joins a step-up that covers it',
      stepUp('read admin'),
      stepUp('admin'),
      true,
    ],
    ['that needs another scope waits', stepUp('read'), stepUp('admin'), false],
  ])('%s', (_what, running, wanted, expected) => {
    expect(serves(running, wanted)).toBe(expected)
  })
})

/** An acquisition that does nothing. */
function idle() {
  const state = { lost: false, given: [] as string[] }
  const never = new Promise<void>(() => {})
  const acquisition = {
    ended: never,
    completed: never,
    get lost() {
      return state.lost
    },
    lose: () => void state.given.push('lost'),
    detach: () => void state.given.push('detached'),
  }
  return { state, acquisition: acquisition as unknown as Acquisition }
}

describe('an acquisition that was lost', () => {
  test('frees its slot for the next one', () => {
    const lane = new Lane()
    const { state, acquisition } = idle()
    lane.start(() => acquisition)
    expect(() => lane.start(() => acquisition)).toThrow('already running')
    state.lost = true
    expect([lane.running, lane.busy, state.given]).toEqual([undefined, undefined, ['lost']])
    const next = idle().acquisition
    expect(lane.start(() => next)).toBe(next)
  })

  test('does not count as running, even if a logout had detached it', () => {
    const lane = new Lane()
    const { state, acquisition } = idle()
    lane.start(() => acquisition)
    lane.detach(new Error('logged out'))
    lane.release(acquisition)
    expect(lane.busy).toBe(acquisition.completed)
    state.lost = true
    expect(lane.busy).toBeUndefined()
  })
})
