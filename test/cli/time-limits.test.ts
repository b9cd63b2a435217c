import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { makeRequester } from '../../src/cli/doctor/requests.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { cliWorld } from './cli-world.ts'

/** Collects garbage all the time, as a long wait in a busy process does. */
function collectGarbage(): void {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  const timer = setInterval(collect, 20)
  onTestFinished(() => clearInterval(timer))
}

describe('a request of the examination', () => {
  it('ends in time although nothing is answered and garbage is collected', async () => {
    const { origin } = await recordingOrigin((request, response) => {
      request.hang()
      response.end()
    })
    collectGarbage()
    const requester = makeRequester({ signal: new AbortController().signal, limitMs: 300 })
    const outcome = await requester.send(new URL(origin), { method: 'POST', body: 'x' })
    expect(outcome).toEqual({ kind: 'no-response', code: undefined, isLate: true })
  })

  it('ends in time while an answer drips', async () => {
    const { origin } = await recordingOrigin((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const timer = setInterval(() => response.write('x'), 30)
      onTestFinished(() => clearInterval(timer))
    })
    collectGarbage()
    const requester = makeRequester({ signal: new AbortController().signal, limitMs: 300 })
    const outcome = await requester.send(new URL(origin), { method: 'POST', body: 'x' })
    expect(outcome).toMatchObject({ kind: 'response', status: 200 })
  })
})

describe('status', () => {
  let world: Awaited<ReturnType<typeof cliWorld>>
  beforeEach(async () => {
    world = await cliWorld()
  })
  afterEach(async () => {
    vi.useRealTimers()
    await world.close()
  })

  it('gives up after 30 seconds without an answer', async () => {
    let answer: () => void = () => {}
    const asked = new Promise<void>((resolve) => {
      answer = resolve
    })
    const { origin } = await recordingOrigin((request, response) => {
      request.hang()
      response.end()
      answer()
    })
    await world.run(['set', `${origin}/mcp`, '--bearer'], { input: 'canary-token' })
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const running = world.run(['status', `${origin}/mcp`])
    await asked
    await vi.advanceTimersByTimeAsync(30_000)
    const { code, stderr } = await running
    expect(code).not.toBe(0)
    expect(stderr).toContain('did not respond within 30 seconds')
  })

  it.each(['application/json', 'text/event-stream'])(
    'reads no answer of any size as %s',
    async (type) => {
      let sent = 0
      const { origin } = await recordingOrigin((_request, response) => {
        response.writeHead(200, { 'content-type': type })
        const pour = (): void => {
          if (response.destroyed) return
          sent += 1
          if (sent > 100) response.end()
          else response.write('x'.repeat(1_048_576), pour)
        }
        pour()
      })
      await world.run(['set', `${origin}/mcp`, '--bearer'], { input: 'canary-token' })
      const { code, stderr } = await world.run(['status', `${origin}/mcp`])
      expect(code).not.toBe(0)
      expect(stderr).toContain('larger than 16 MB')
      expect(sent).toBeLessThan(60)
    },
  )
})
