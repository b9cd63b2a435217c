import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { authorizedFetch } from '../../src/index.ts'
import { deviceCode } from '../../src/oauth/index.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const json = (body: unknown, status = 200) =>
  new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })

/** The number of polls in ten seconds while the user does not enter the code. */
async function polls(host: string, interval: unknown, issuerHost = host): Promise<number> {
  const issuer = `https://${issuerHost}`
  let polled = 0
  const answers: Readonly<Record<string, () => Response>> = {
    '/device': () =>
      json({
        device_code: 'device-1',
        user_code: 'WDJB-MJHT',
        verification_uri: `${issuer}/activate`,
        expires_in: 600,
        interval,
      }),
    '/token': () => {
      polled += 1
      return json({ error: 'authorization_pending' }, 400)
    },
  }
  const send = authorizedFetch(
    deviceCode({
      clientId: 'tv',
      onUserCode: () => {},
      // Prevents DNS lookups.
      allowPrivateNetwork: true,
      metadata: {
        issuer,
        device_authorization_endpoint: `${issuer}/device`,
        token_endpoint: `${issuer}/token`,
      },
    }),
    {
      resource: `https://${host}/mcp`,
      fetch: async (input) => {
        const { pathname } = new URL(input instanceof Request ? input.url : input)
        return answers[pathname]?.() ?? new Response(null, { status: 404 })
      },
    },
  )
  const controller = new AbortController()
  const login = send.login({ signal: controller.signal }).catch(() => {})
  await vi.advanceTimersByTimeAsync(10_000)
  controller.abort()
  await vi.advanceTimersByTimeAsync(60_000)
  await login
  return polled
}

describe('a device login', () => {
  test.each([0.001, '0.001', 1e-9])(
    'is polled once a second if the server says %s',
    async (interval) => {
      const count = await polls('mcp.example.com', interval)
      expect(count).toBeGreaterThan(5)
      expect(count).toBeLessThanOrEqual(10)
    },
  )

  test.each([0, -1, 'often', undefined])(
    'is polled every five seconds if the server says %s',
    async (interval) => {
      const count = await polls('mcp.example.com', interval)
      expect(count).toBeGreaterThanOrEqual(1)
      expect(count).toBeLessThanOrEqual(2)
    },
  )

  test('is polled as often as a server on this machine says', async () => {
    expect(await polls('localhost', 0.1)).toBeGreaterThan(50)
    expect(await polls('127.0.0.1', 0.1, 'auth.example.com')).toBeLessThanOrEqual(10)
    expect(await polls('mcp.example.com', 0.1, '127.0.0.1')).toBeLessThanOrEqual(10)
  })
})
