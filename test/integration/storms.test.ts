import { describe, expect, onTestFinished, test } from 'vitest'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import { CredentialError, type CredentialProvider, withCredentials } from '../../src/index.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

interface TestIssuer {
  readonly provider: CredentialProvider
  /** When each token was issued, in milliseconds since the epoch. */
  readonly issued: Map<string, number>
  isDown: boolean
}

/** Issues tokens over a real connection, so that an acquisition takes real time. */
async function startIssuer(lifeSeconds: number): Promise<TestIssuer> {
  const issued = new Map<string, number>()
  const origin = await recordingOrigin((_request, response) => {
    if (issuer.isDown) {
      response.statusCode = 503
      return void response.end()
    }
    const token = `token-${issued.size + 1}`
    issued.set(token, Date.now())
    response.end(token)
  })
  const issuer: TestIssuer = {
    issued,
    isDown: false,
    provider: {
      name: 'issuer',
      async acquire({ fetch, signal, now }) {
        const startedAt = now()
        const response = await fetch(origin.origin, { method: 'POST', signal })
        const token = await response.text()
        if (!response.ok) throw new CredentialError('server_error', 'down', { retryable: true })
        return {
          expiresAt: startedAt + lifeSeconds * 1000,
          apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`),
        }
      },
    },
  }
  return issuer
}

const call = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' })
const post = { method: 'POST', body: call, headers: { 'Content-Type': 'application/json' } }
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('over loopback and in real time', () => {
  test('a thousand requests on an expired token are one acquisition', async () => {
    const issuer = await startIssuer(3600)
    const server = await recordingOrigin()
    // The clock jumps past the expiry of the first token.
    let skew = 0
    const fetch = withCredentials(issuer.provider, { now: () => Date.now() + skew }).fetch
    await fetch(`${server.origin}/mcp`, post)
    skew = 2 * 3_600_000

    const answers = Array.from({ length: 1000 }, () => fetch(`${server.origin}/mcp`, post))
    const statuses = new Set((await Promise.all(answers)).map(({ status }) => status))

    expect(statuses).toEqual(new Set([200]))
    expect(issuer.issued.size).toBe(2)
    expect(server.requests).toHaveLength(1001)
  })

  test('200 requests that are refused one after another are one renewal, and sent at most twice', async () => {
    const issuer = await startIssuer(3600)
    let arrived = 0
    const server = await recordingOrigin(({ headers }, response) => {
      if (headers.authorization !== 'Bearer token-1') return void response.end('{}')
      arrived += 1
      response.statusCode = 401
      setTimeout(() => response.end(), (arrived * 300) / 200)
    })
    const fetch = withCredentials(issuer.provider).fetch
    const answers = Array.from({ length: 200 }, () => fetch(`${server.origin}/mcp`, post))
    const statuses = new Set((await Promise.all(answers)).map(({ status }) => status))

    expect(statuses).toEqual(new Set([200]))
    expect(issuer.issued.size).toBe(2)
    expect(arrived).toBe(200)
    expect(server.requests).toHaveLength(400)
  })

  test('a server that refuses everything for ten seconds costs at most five renewals', async () => {
    const issuer = await startIssuer(3600)
    const server = await startBearerServer({ kind: 'stateless', tokens: {} })
    onTestFinished(() => server.close())
    const fetch = withCredentials(issuer.provider).fetch
    const end = Date.now() + 10_000
    let refused = 0
    while (Date.now() < end) {
      const response = await fetch(server.url, post)
      await response.text()
      if (response.status === 401) refused += 1
      await pause(10)
    }
    expect(refused).toBeGreaterThan(200)
    // The first token is an acquisition, not a renewal.
    expect(issuer.issued.size - 1).toBeLessThanOrEqual(5)
  })

  test('the server never sees an expired token of three seconds in fifteen seconds of load', async () => {
    const issuer = await startIssuer(3)
    const late: number[] = []
    const server = await recordingOrigin(({ headers }, response) => {
      const token = headers.authorization?.slice('Bearer '.length) ?? ''
      const age = Date.now() - (issuer.issued.get(token) ?? 0)
      if (age >= 3000) late.push(age)
      response.end('{}')
    })
    const fetch = withCredentials(issuer.provider).fetch
    const end = Date.now() + 15_000
    const worker = async () => {
      while (Date.now() < end) {
        await (await fetch(`${server.origin}/mcp`, post)).text()
        await pause(5)
      }
    }
    await Promise.all(Array.from({ length: 8 }, worker))

    expect(late).toEqual([])
    expect(server.requests.length).toBeGreaterThan(1000)
    expect(issuer.issued.size).toBeGreaterThanOrEqual(5)
    expect(issuer.issued.size).toBeLessThanOrEqual(12)
  })

  test('no caller notices an issuer that is down during the early window', async () => {
    const issuer = await startIssuer(8)
    const server = await recordingOrigin()
    // Without jitter the back-off stays at its floor, so the renewal comes before the expiry.
    const fetch = withCredentials(issuer.provider, { random: () => 0 }).fetch
    await fetch(`${server.origin}/mcp`, post)
    issuer.isDown = true
    const end = Date.now() + 6000
    while (Date.now() < end) {
      expect((await fetch(`${server.origin}/mcp`, post)).status).toBe(200)
      await pause(50)
    }
    issuer.isDown = false
    while (issuer.issued.size < 2) {
      expect((await fetch(`${server.origin}/mcp`, post)).status).toBe(200)
      await pause(50)
    }
    expect((await fetch(`${server.origin}/mcp`, post)).status).toBe(200)
  })

  test('a waiter that aborts is answered at once, and the others succeed', async () => {
    let release: (() => void) | undefined
    const provider: CredentialProvider = {
      name: 'slow',
      async acquire() {
        await new Promise<void>((resolve) => {
          release = resolve
        })
        return { apply: ({ headers }) => headers.set('Authorization', 'Bearer token') }
      },
    }
    const server = await recordingOrigin()
    const fetch = withCredentials(provider).fetch
    const leaving = new AbortController()
    const others = Array.from({ length: 5 }, () => fetch(`${server.origin}/mcp`, post))
    const left = fetch(`${server.origin}/mcp`, { ...post, signal: leaving.signal })
    await pause(20)
    const reason = new Error('gone')
    leaving.abort(reason)
    // The issuer has not answered yet, so this can only settle by itself.
    await expect(left).rejects.toBe(reason)
    release?.()
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([
      200, 200, 200, 200, 200,
    ])
    expect(server.requests).toHaveLength(5)
  })
})
