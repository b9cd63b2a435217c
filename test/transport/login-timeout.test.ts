import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import {
  authorizedFetch,
  type Credential,
  type CredentialProvider,
  LoginRequiredError,
  type TokenManager,
} from '../../src/index.ts'
import { toAuthProvider, toOAuthClientProvider } from '../../src/mcp/index.ts'

const resource = 'https://mcp.example.com/mcp'

/** A login that the user finishes when the test says so. */
function slowLogin() {
  const asked: AbortSignal[] = []
  const token: Credential = { apply: ({ headers }) => headers.set('Authorization', 'Bearer t') }
  let finish: () => void = () => {}
  const done = new Promise<Credential>((resolve) => {
    finish = () => resolve(token)
  })
  const provider: CredentialProvider = {
    name: 'slowLogin',
    interactive: true,
    acquire({ signal }) {
      asked.push(signal)
      return done
    },
  }
  return { provider, asked, finish: () => finish() }
}

function sender(provider: CredentialProvider) {
  const send = authorizedFetch(provider, { resource, fetch: async () => new Response('ok') })
  const call = (init: RequestInit = {}) => send(resource, { method: 'POST', body: '{}', ...init })
  return { manager: send.manager, call }
}

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('a request that requires a login', () => {
  test('fails within the time limit of the SDKs, says what to do, and keeps the login open', async () => {
    const { provider, asked, finish } = slowLogin()
    const { call } = sender(provider)
    const first = call().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(49_000)
    const second = call().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(1000)
    const error = await first
    expect(error).toBeInstanceOf(LoginRequiredError)
    expect(error).toMatchObject({
      reason: 'login_pending',
      retryable: true,
      message: expect.stringMatching(
        /still no credential after 50 s.*`login\(\)` of withCredentials\(\) or authorizedFetch\(\) before `connect\(\)`.*browser shows an error about `redirect_uri`/,
      ),
    })
    finish()
    expect(await second).toBeInstanceOf(Response)
    expect((await call()).status).toBe(200)
    expect(asked).toHaveLength(1)
  })

  test('cancels the login if its caller aborts, but not after it has failed', async () => {
    const { provider, asked } = slowLogin()
    const { call } = sender(provider)
    const late = new AbortController()
    const failed = call({ signal: late.signal }).catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(50_000)
    expect(await failed).toMatchObject({ reason: 'login_pending' })
    late.abort()
    expect(asked[0]?.aborted).toBe(false)

    const other = slowLogin()
    const early = new AbortController()
    const left = sender(other.provider).call({ signal: early.signal })
    await vi.advanceTimersByTimeAsync(1000)
    early.abort(new Error('enough'))
    await expect(left).rejects.toThrow('enough')
    expect(other.asked[0]?.aborted).toBe(true)
  })

  test('also fails in time through the interfaces of the SDKs', async () => {
    for (const waiting of [
      (options: { resource: string }) => toAuthProvider(slowLogin().provider, options).token(),
      (options: { resource: string }) =>
        toOAuthClientProvider(slowLogin().provider, options).tokens(),
    ]) {
      const failed = waiting({ resource }).catch((error: unknown) => error)
      await vi.advanceTimersByTimeAsync(50_000)
      expect(await failed).toMatchObject({ reason: 'login_pending' })
    }
  })

  test('leaves no timer behind', async () => {
    const { provider, finish } = slowLogin()
    const { call, manager } = sender(provider)
    const response = call()
    await vi.advanceTimersByTimeAsync(10)
    finish()
    await response
    await manager.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('login()', () => {
  const waitsFor = (manager: TokenManager) => manager.login().catch((error: unknown) => error)

  test('waits until the user has finished', async () => {
    const { provider, finish } = slowLogin()
    const { manager } = sender(provider)
    const login = waitsFor(manager)
    await vi.advanceTimersByTimeAsync(120_000)
    finish()
    expect(await login).toHaveProperty('apply')
  })

  test('asks again after the user has declined, which credential() does not', async () => {
    let asked = 0
    const provider: CredentialProvider = {
      name: 'declined',
      interactive: true,
      acquire() {
        asked += 1
        throw new LoginRequiredError('grant_rejected', 'declined')
      },
    }
    const { manager } = sender(provider)
    for (const attempt of [1, 1]) {
      await expect(manager.credential()).rejects.toThrow('declined')
      expect(asked).toBe(attempt)
    }
    await expect(manager.login()).rejects.toThrow('declined')
    expect(asked).toBe(2)
  })
})
