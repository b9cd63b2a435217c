import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { CredentialEvent } from '../../src/index.ts'
import { testClock } from '../support/clock.ts'
import { alice, application, bob, errorOf, of, visit } from '../support/web-application.ts'

describe('a login that was finished', () => {
  it('is not finished again where the clock of another process is ahead', async () => {
    const clock = testClock()
    const minute = 60_000
    const { world, logins, restarted } = await application({}, { now: clock.now })
    const ahead = restarted({ now: () => clock.now() + 2 * minute })
    const first = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(first.url)
    await logins.finishLogin(callback, first.state, of(alice))

    clock.advance(9 * minute)
    const second = await ahead.beginLogin({ resource: world.url, ...alice })
    await ahead.finishLogin(await visit(second.url), second.state, of(alice))

    const again = await errorOf(logins.finishLogin(callback, first.state, of(alice)))
    expect(again).toMatchObject({ code: 'login_used' })
    expect(world.tokenRequests()).toHaveLength(2)
  })

  it('is forgotten some minutes after its end, so that the marks do not grow', async () => {
    const clock = testClock()
    const { world, store, logins } = await application({}, { now: clock.now, lifetime: 60 })
    for (let count = 0; count < 4; count += 1) {
      const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
      await logins.finishLogin(await visit(url), state, of(alice))
      clock.advance(10 * 60_000)
    }
    const marks = await store.get(`finished logins | ${world.url} | alice`)
    expect(Object.keys(marks?.data ?? {})).toHaveLength(1)
  })
})

describe('logins that differ in the query of the server', () => {
  it('are stored for that query, and not for the server as a whole', async () => {
    const { world, store, logins } = await application({})
    const resource = `${world.url}?tenant=ada`
    const { url, state } = await logins.beginLogin({ resource, ...alice })
    const login = await logins.finishLogin(await visit(url), state, of(alice))

    expect(login.resource.href).toBe(resource)
    expect(await store.get(`${resource} | alice`)).toBeDefined()
    expect(await store.get(`${world.url} | alice`)).toBeUndefined()
  })
})

describe('a login whose code was sent', () => {
  it.each([503, 429])('is no longer retryable after %d, and says what to do', async (status) => {
    const { world, logins } = await application({ token: () => ({ status }) })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    const error = await errorOf(logins.finishLogin(callback, state, of(alice)))
    const again = await errorOf(logins.finishLogin(callback, state, of(alice)))

    const code = status === 429 ? 'rate_limited' : 'server_error'
    expect(error).toMatchObject({ code, retryable: false, status })
    expect(error.message).toContain(`responded with ${status}.`)
    expect(error.remedy).toBe('Call beginLogin() again.')
    expect(again).toMatchObject({ code: 'login_used', retryable: false })
    expect(again.remedy).toMatch(/^Call beginLogin\(\) again, unless/)
  })

  const servers: { close(): unknown; closeAllConnections(): void }[] = []
  afterEach(() => {
    for (const server of servers.splice(0)) {
      server.closeAllConnections()
      server.close()
    }
  })

  it('stays used when a repetition with a nonce no longer reaches the server', async () => {
    let codes = 0
    const gone = createServer((_request, response) => {
      codes += 1
      const headers = { 'dpop-nonce': 'n-1', 'content-type': 'application/json' }
      response.writeHead(400, { ...headers, connection: 'close' })
      response.end('{"error":"use_dpop_nonce"}')
      gone.close()
    })
    servers.push(gone)
    await new Promise<void>((resolve) => gone.listen(0, '127.0.0.1', resolve))
    const { port } = gone.address() as AddressInfo
    const tokenEndpoint = `http://127.0.0.1:${port}/token`
    const { world, restarted } = await application(
      { metadata: () => ({ token_endpoint: tokenEndpoint }) },
      { dpop: true },
    )
    const logins = restarted({ issuer: world.issuer })
    const { url, state } = await logins.beginLogin({ resource: world.url, ...alice })
    const callback = await visit(url)

    const error = await errorOf(logins.finishLogin(callback, state, of(alice)))

    expect(codes).toBe(1)
    expect(error).toMatchObject({ code: 'network', retryable: false })
    const again = await errorOf(logins.finishLogin(callback, state, of(alice)))
    expect(again).toMatchObject({ code: 'login_used' })
  })
})

describe('a login that is refused', () => {
  it.each([
    ['by the user', '?error=access_denied'],
    ['by the token endpoint', '?code=code-1'],
  ])('%s is reported with the code of its error', async (_what, query) => {
    const events: CredentialEvent[] = []
    const onEvent = (event: CredentialEvent) => void events.push(event)
    const { world, logins } = await application(
      { token: () => ({ status: 400, body: { error: 'invalid_grant' } }) },
      { onEvent },
    )
    const { id, state } = await logins.beginLogin({ resource: world.url, ...bob })

    const callback = `/callback${query}&state=${id}`
    const error = await errorOf(logins.finishLogin(callback, state, of(bob)))

    expect(error).toMatchObject({ code: 'login_required', reason: 'grant_rejected' })
    const failures = events.filter(({ type }) => type === 'acquire_failure')
    expect(failures).toMatchObject([{ code: 'login_required', retryable: false }])
  })
})
