import { describe, expect, it } from 'vitest'
import { custom, LoginRequiredError } from '../../src/index.ts'
import { savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { lineClient } from '../support/bridge-client.ts'
import { testClock } from '../support/clock.ts'
import { scriptedMcp } from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

describe('a login that is required', () => {
  /** A provider that has a credential once the user has logged in. */
  function login() {
    const state = { isLoggedIn: false }
    const provider = custom({
      name: 'saved',
      async acquire() {
        if (state.isLoggedIn) {
          return { apply: ({ headers }) => headers.set('Authorization', 'Bearer token') }
        }
        throw new LoginRequiredError('no_credential', 'Nobody is logged in.', {
          remedy: 'Run `npx mcp-credentials login https://mcp.example.com/mcp`.',
        })
      },
    })
    return { state, provider }
  }

  it('is an error that says what to do, and the bridge goes on when another process has logged in', async () => {
    const server = await scriptedMcp()
    server.wantsCredential = true
    const store = memoryStore()
    const clock = testClock(Date.now())
    const client = lineClient(server.url, { provider: savedLogin(), store, now: clock.now })

    expect(await client.initialize()).toMatchObject({
      error: {
        code: -32000,
        message: expect.stringContaining('there is no login'),
        data: { code: 'login_required', remedy: expect.stringContaining('Log in once') },
      },
    })
    await until(() => client.log.length > 0, 'the notification that was not delivered')
    await store.set(`${server.url} | default`, {
      version: 1,
      provider: 'authorizationCode',
      generation: 1,
      issuer: server.origin,
      obtainedAt: clock.now(),
      data: { accessToken: 'their-token', tokenType: 'bearer', clientId: 'them' },
    })
    clock.advance(10_000)

    expect(await client.initialize()).toMatchObject({ result: { protocolVersion: '2025-11-25' } })
    const [sent] = server.postsOf('initialize')
    expect(sent?.request.headers.authorization).toBe('Bearer their-token')
  })

  it('is a URL in the message for a client that cannot show one', async () => {
    const server = await scriptedMcp()
    server.wantsCredential = true
    const { provider } = login()
    const requests: boolean[] = []
    const client = lineClient(server.url, {
      provider,
      onLoginRequired({ clientShowsUrl }) {
        requests.push(clientShowsUrl)
        return { url: 'https://login.example.com/authorize?x=1', message: 'Log in.' }
      },
    })

    const first = await client.initialize({ elicitation: {} })
    client.send({ jsonrpc: '2.0', id: 5, method: 'tools/list' })
    const second = await client.next()

    const url = 'https://login.example.com/authorize?x=1'
    const error = { code: -32000, message: `Log in. Open ${url}`, data: { url } }
    expect(first).toMatchObject({ error })
    expect(second).toMatchObject({ id: 5, error })
    expect(requests).toEqual([false])
  })

  it('is an elicitation for a client that can show a URL, and ends with a notification', async () => {
    const server = await scriptedMcp()
    server.wantsCredential = true
    const { state, provider } = login()
    let complete = () => {}
    const completed = new Promise<void>((resolve) => {
      complete = resolve
    })
    const client = lineClient(server.url, {
      provider,
      onLoginRequired: ({ clientShowsUrl }) => ({
        url: `https://login.example.com/?client=${clientShowsUrl}`,
        message: 'Log in to use the tools.',
        completed,
      }),
    })

    const { error } = (await client.initialize({ elicitation: { url: {} } })) as {
      error: { code: number; data: { elicitations: { elicitationId: string }[] } }
    }
    state.isLoggedIn = true
    complete()
    const notification = await client.next()

    const [elicitation] = error.data.elicitations
    expect(error.code).toBe(-32042)
    expect(elicitation).toMatchObject({
      mode: 'url',
      url: 'https://login.example.com/?client=true',
      message: 'Log in to use the tools.',
    })
    expect(notification).toEqual({
      jsonrpc: '2.0',
      method: 'notifications/elicitation/complete',
      params: { elicitationId: elicitation?.elicitationId },
    })
  })

  it('is followed by requests with the credential when it has completed, without a store', async () => {
    const server = await scriptedMcp()
    server.wantsCredential = true
    const { state, provider } = login()
    let complete = () => {}
    const completed = new Promise<void>((resolve) => {
      complete = resolve
    })
    const client = lineClient(server.url, {
      provider,
      onLoginRequired: () => ({ url: 'https://login.example.com/', completed }),
    })

    await client.initialize({ elicitation: { url: {} } })
    state.isLoggedIn = true
    complete()
    await client.next()
    const again = await client.initialize()

    expect(again).toMatchObject({ result: { protocolVersion: '2025-11-25' } })
    expect(server.postsOf('initialize')[0]?.request.headers.authorization).toBe('Bearer token')
  })

  it('is over for a client that waits for it when it has failed, and the next request begins another', async () => {
    const server = await scriptedMcp()
    server.wantsCredential = true
    const { provider } = login()
    const failures: (() => void)[] = []
    const client = lineClient(server.url, {
      provider,
      onLoginRequired: () => ({
        url: `https://login.example.com/?attempt=${failures.length}`,
        completed: new Promise((_resolve, reject) => {
          failures.push(() => reject(new Error('denied')))
        }),
      }),
    })

    await client.initialize({ elicitation: { url: {} } })
    failures[0]?.()
    const notification = await client.next()
    client.send({ jsonrpc: '2.0', id: 5, method: 'tools/list' })
    const second = await client.next()

    expect(notification).toMatchObject({ method: 'notifications/elicitation/complete' })
    expect(second).toMatchObject({
      id: 5,
      error: { data: { elicitations: [{ url: 'https://login.example.com/?attempt=1' }] } },
    })
  })
})
