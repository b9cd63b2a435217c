import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  type Credential,
  CredentialError,
  LoginRequiredError,
  TokenManager,
} from '../../src/index.ts'
import { settle, testClock } from '../support/clock.ts'
import { testIssuer } from '../support/issuer.ts'

type Step =
  | { readonly do: 'advance'; readonly seconds: number }
  | { readonly do: 'call'; readonly abortable: boolean }
  | { readonly do: 'abort' }
  | { readonly do: 'commit' }
  | { readonly do: 'grant'; readonly life: number }
  | { readonly do: 'fail'; readonly retryAfter: number | undefined }
  | { readonly do: 'refuse' }
  | { readonly do: 'login' }
  | { readonly do: 'reset' }
  | { readonly do: 'reject'; readonly late: boolean }
  | { readonly do: 'accept' }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('advance'),
        seconds: fc.oneof(fc.integer({ min: 0, max: 8 }), fc.constantFrom(50, 295, 3290, 3592)),
      }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constant('call'), abortable: fc.boolean() }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('grant'), life: fc.constantFrom(0, 3, 60, 3600) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('fail'),
        retryAfter: fc.constantFrom(undefined, 5, 90),
      }),
    },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('reject'), late: fc.boolean() }) },
    ...(['abort', 'commit', 'refuse', 'login', 'reset', 'accept'] as const).map((name) => ({
      weight: 1,
      arbitrary: fc.record({ do: fc.constant(name) }),
    })),
  ),
  { minLength: 20, maxLength: 60 },
) as fc.Arbitrary<Step[]>

let unhandled = 0
const count = () => {
  unhandled += 1
}
beforeEach(() => {
  unhandled = 0
  process.on('unhandledRejection', count)
})
afterEach(() => void process.off('unhandledRejection', count))

/** Follows the manager through any story, and checks after each step what must always hold. */
async function play(story: readonly Step[]): Promise<void> {
  const clock = testClock()
  const issuer = testIssuer()
  const manager = new TokenManager(issuer.provider, {
    resource: 'https://mcp.example.com/mcp',
    now: clock.now,
    random: () => 0.5,
  })
  const held: Credential[] = []
  const rejected = new Set<Credential>()
  const leaving: AbortController[] = []
  const violations: string[] = []
  let arrived: Credential | undefined
  let open = 0
  let asked = 0
  let notBefore = -Infinity

  for (const step of story) {
    arrived = undefined
    if (step.do === 'advance') clock.advance(step.seconds * 1000)
    else if (step.do === 'call') {
      const controller = new AbortController()
      if (step.abortable) leaving.push(controller)
      open += 1
      manager
        .credential(step.abortable ? { signal: controller.signal } : {})
        .then((credential) => {
          // Only what has just arrived may be over already: it serves those who waited for it.
          const isOver = (credential.expiresAt ?? Infinity) <= clock.now()
          if (isOver && credential !== arrived) violations.push('an expired one was handed out')
          if (rejected.has(credential)) violations.push('a rejected one was handed out')
        })
        .catch(() => {})
        .finally(() => {
          open -= 1
        })
    } else if (step.do === 'abort') leaving.shift()?.abort()
    else if (step.do === 'commit') await issuer.contexts.at(-1)?.commit()
    else if (step.do === 'grant' && issuer.waiting > 0) {
      arrived = issuer.grant(step.life)
      held.push(arrived)
      if (step.life > 0) notBefore = -Infinity
    } else if (step.do === 'fail' && issuer.waiting > 0) {
      const { retryAfter } = step
      const hint = retryAfter === undefined ? {} : { retryAfter }
      const cancelled = issuer.contexts[issuer.contexts.length - issuer.waiting]?.signal.aborted
      issuer.fail(new CredentialError('server_error', 'down', { retryable: true, ...hint }))
      if (cancelled !== true) notBefore = clock.now() + Math.max(250, (retryAfter ?? 0) * 1000)
    } else if (step.do === 'refuse' && issuer.waiting > 0) {
      const cancelled = issuer.contexts[issuer.contexts.length - issuer.waiting]?.signal.aborted
      issuer.fail(new CredentialError('invalid_client', 'no'))
      if (cancelled !== true) notBefore = clock.now() + 60_000
    } else if (step.do === 'login' && issuer.waiting > 0) {
      const cancelled = issuer.contexts[issuer.contexts.length - issuer.waiting]?.signal.aborted
      issuer.fail(new LoginRequiredError('grant_rejected', 'over'))
      if (cancelled !== true) notBefore = Infinity
    } else if (step.do === 'reset') {
      manager.reset()
      notBefore = -Infinity
    } else if (step.do === 'reject') {
      const credential = step.late ? held[0] : manager.current()
      const isCurrent = credential !== undefined && credential === manager.current()
      if (credential !== undefined && manager.invalidate(credential) && isCurrent) {
        rejected.add(credential)
      }
    } else if (step.do === 'accept') {
      const credential = manager.current()
      if (credential !== undefined) manager.accepted(credential)
    }
    await settle()

    expect(violations).toEqual([])
    const running = issuer.contexts.slice(-issuer.waiting || issuer.contexts.length)
    expect(running.filter(({ signal }) => !signal.aborted).length).toBeLessThanOrEqual(1)
    // Nobody is asked before the back-off, Retry-After or the cool-down is over.
    if (issuer.contexts.length > asked) {
      asked = issuer.contexts.length
      expect(clock.now()).toBeGreaterThanOrEqual(notBefore)
    }
    const current = manager.current()
    if (current !== undefined) {
      expect(current.expiresAt ?? Infinity).toBeGreaterThan(clock.now())
      expect(rejected.has(current)).toBe(false)
    }
  }

  while (issuer.waiting > 0) issuer.fail(new CredentialError('server_error', 'end'))
  await manager.close()
  await settle()
  expect(open).toBe(0)
}

test('whatever happens in whatever order, the promises of the manager hold', async () => {
  await fc.assert(fc.asyncProperty(steps, play), { numRuns: 2000 })
  await new Promise((resolve) => setImmediate(resolve))
  expect(unhandled).toBe(0)
}, 60_000)
