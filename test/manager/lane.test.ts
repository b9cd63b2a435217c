import { describe, expect, test } from 'vitest'
import type { AcquisitionRequest } from '../../src/manager/acquisition.ts'
import { serves } from '../../src/manager/lane.ts'

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
      'that wants a new credential waits for a renewal',
      request({}),
      request({ reason: 'forced' }),
      false,
    ],
    [
      'that wants a new credential joins another',
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
