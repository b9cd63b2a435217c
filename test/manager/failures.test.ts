import { describe, expect, test } from 'vitest'
import { CredentialError, LoginRequiredError } from '../../src/index.ts'
import { Failures } from '../../src/manager/failures.ts'
import { testClock } from '../support/clock.ts'

function setUp(random = 1) {
  const clock = testClock(0)
  return { clock, failures: new Failures(clock.now, () => random) }
}
const down = (retryAfter?: number) =>
  new CredentialError('server_error', 'down', {
    retryable: true,
    ...(retryAfter === undefined ? {} : { retryAfter }),
  })
const nothingHeld = { usableFor: 0, unattended: false }

describe('failures', () => {
  test('that are retryable are followed by increasing pauses', () => {
    const { failures } = setUp()
    const waits = Array.from({ length: 6 }, () => failures.record(down(), nothingHeld).waitMs)
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000])
  })

  test("pause for at most half of the current credential's remaining lifetime", () => {
    const { failures } = setUp()
    for (let attempt = 0; attempt < 6; attempt += 1) failures.record(down(), nothingHeld)
    const wait = (usableFor: number) =>
      failures.record(down(), { usableFor, unattended: false }).waitMs
    expect([wait(20_000), wait(4000), wait(300)]).toEqual([10_000, 2000, 250])
  })

  test('pause for as long as the server asks, even if the current credential expires meanwhile', () => {
    const { failures } = setUp()
    expect(failures.record(down(30), { usableFor: 10_000, unattended: false }).waitMs).toBe(30_000)
  })

  test('that are not retryable cause a pause of one minute', () => {
    const { clock, failures } = setUp()
    failures.record(new CredentialError('invalid_client', 'no'), nothingHeld)
    expect(failures.pauseMs).toBe(60_000)
    clock.advance(60_000)
    expect(failures.pauseMs).toBe(0)
  })

  test('that require a login last until the login', () => {
    const { clock, failures } = setUp()
    failures.record(new LoginRequiredError('grant_rejected', 'no'), nothingHeld)
    clock.advance(1e12)
    expect([failures.needsLogin, failures.pauseMs]).toEqual([true, Infinity])
  })

  test('are cleared by a login, but not in an endless loop', () => {
    const { clock, failures } = setUp()
    const fail = () => failures.record(new LoginRequiredError('grant_rejected', 'no'), nothingHeld)
    for (let login = 0; login < 5; login += 1) {
      fail()
      failures.allowRetry()
      expect(failures.pauseMs).toBe(0)
    }
    fail()
    failures.allowRetry()
    expect(failures.needsLogin).toBe(true)
    clock.advance(10_000)
    failures.allowRetry()
    expect(failures.needsLogin).toBe(false)
  })

  test('of credentials that had expired on arrival cause a pause from the second failure on', () => {
    const { failures } = setUp()
    const waits = Array.from({ length: 4 }, () => failures.recordExpired(down()).waitMs)
    expect(waits).toEqual([0, 2000, 4000, 8000])
  })

  test('end with a success', () => {
    const { failures } = setUp()
    failures.record(down(), nothingHeld)
    failures.clear()
    expect([failures.last, failures.pauseMs]).toEqual([undefined, 0])
    expect(failures.record(down(), nothingHeld).attempt).toBe(1)
  })
})
