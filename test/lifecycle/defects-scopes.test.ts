import { afterEach, describe, expect, test } from 'vitest'

import {
  closeScenes,
  createScene,
  grantOf,
  insufficient,
  outcome,
  type Scene,
  token,
} from './scene.ts'

afterEach(closeScenes)

/** A renewal becomes due while a step-up is under way. */
function stepUpDuringRenewal(): Scene & { run(): Promise<void> } {
  const scene: Scene = createScene({
    traits: { scoped: true },
    random: 0,
    async acquire(context, number) {
      const grant = grantOf(context)
      const scope = context.scope ?? 'read'
      const isStepUp = context.reason === 'insufficient_scope'
      if (grant !== undefined) {
        await context.commit()
        scene.redeemed.push(grant)
        await scene.time.sleep(isStepUp ? 4000 : 6000)
      }
      return token(context, `token-${number} ${scope}`, 300, { scope })
    },
    server: (sent) =>
      sent.includes('write') || !wide ? new Response('fine') : insufficient('read write'),
  })
  let wide = false
  const run = async () => {
    await scene.request()
    // Just before the early window of 60 seconds begins.
    await scene.time.advance(239_000)
    wide = true
    const stepping = outcome(scene.request())
    await scene.time.advance(100)
    wide = false
    for (let count = 0; count < 30; count += 1) {
      await scene.request()
      await scene.time.advance(1000)
    }
    expect(stepping.state).toBe('fulfilled')
  }
  return Object.assign(scene, { run })
}

describe('a step-up', () => {
  test('redeems its grant once when a renewal becomes due meanwhile', async () => {
    const scene = stepUpDuringRenewal()
    await scene.run()
    expect(scene.redeemed.length).toBeGreaterThan(0)
    expect(new Set(scene.redeemed).size).toBe(scene.redeemed.length)
  })

  test('keeps its scopes when a renewal becomes due meanwhile', async () => {
    const scene = stepUpDuringRenewal()
    await scene.run()
    expect(scene.sent.at(-1)).toContain('write')
  })

  test('is made again when a renewal has brought fewer scopes', async () => {
    const scene: Scene = createScene({
      traits: { scoped: true },
      async acquire({ scope = 'read', reason, ...context }, number) {
        const granted = reason === 'expiring' ? 'read' : scope
        return token(context, `token-${number} ${granted}`, 300, { scope: granted })
      },
      server: (sent) =>
        sent.includes('write') ? new Response('fine') : insufficient('read write'),
    })
    expect((await scene.request()).status).toBe(200)
    await scene.time.advance(310_000)
    expect((await scene.request()).status).toBe(200)
  })

  test('answers the late 403 of an older credential too, when the issuer states no scope', async () => {
    const scene: Scene = createScene({
      traits: { scoped: true },
      acquire: async ({ scope = 'read', ...context }, number) =>
        token(context, `token-${number} ${scope}`),
      async server(sent, number) {
        if (sent.includes('write')) return new Response('fine')
        await scene.time.sleep(number === 1 ? 1000 : 5000)
        return insufficient('read write')
      },
    })
    const requests = [outcome(scene.request()), outcome(scene.request())]
    await scene.time.advance(10_000)
    expect(requests.map(({ value }) => (value as Response).status)).toEqual([200, 200])
    expect(scene.contexts.filter(({ reason }) => reason === 'insufficient_scope')).toHaveLength(1)
  })

  test.each([
    ['a new scope each time', (number: number) => `scope-${number}`],
    ['scopes of 10 000 characters', (number: number) => `s${number} ${'x'.repeat(10_000)}`],
  ])(
    'is made at most three times in ten minutes for a server that names %s',
    async (_what, name) => {
      const scene = createScene({
        traits: { scoped: true },
        acquire: async ({ scope = 'read', ...context }, number) =>
          token(context, `token-${number}`, 3600, { scope }),
        server: (_sent, number) => insufficient(name(number)),
      })
      for (let count = 0; count < 20; count += 1) {
        await scene.request().catch(() => {})
        await scene.time.advance(25_000)
      }
      const steps = scene.contexts.filter(({ reason }) => reason === 'insufficient_scope')
      expect(steps.length).toBeLessThanOrEqual(3)
      const longest = Math.max(...scene.contexts.map(({ scope = '' }) => scope.length))
      expect(longest).toBeLessThanOrEqual(4000)
    },
  )
})
