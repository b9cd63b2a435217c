import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import {
  apiKey,
  type CredentialEvent,
  type CredentialProvider,
  custom,
  LoginRequiredError,
  perTenant,
} from '../../src/index.ts'
import { connect } from '../../src/mcp/index.ts'
import { testMcpServer } from '../../src/testing/index.ts'
import { clients } from '../support/sdk-clients.ts'

for (const { version, make } of clients) {
  describe(`connect with a client of SDK ${version}`, () => {
    for (const kind of ['stateful', 'stateless', 'sse'] as const) {
      it(`reaches a ${kind} server`, async () => {
        const server = await startApiKeyServer({ kind, keys: { 'key-1': 'alice' } })
        onTestFinished(() => server.close())
        const client = make()

        const { kind: spoken } = await connect(client, server.url, apiKey({ value: 'key-1' }))
        const result = await client.callTool({ name: 'whoami' })
        await client.close()

        expect(spoken).toBe(kind === 'sse' ? 'sse' : 'streamable-http')
        expect(JSON.stringify(result)).toContain('alice')
        expect(server.requests.every(({ headers }) => headers['x-api-key'] === 'key-1')).toBe(true)
      })
    }

    it('does not try the older transport when the credential is refused', async () => {
      const server = await startApiKeyServer({ keys: { 'key-1': 'alice' } })
      onTestFinished(() => server.close())

      const connecting = connect(make(), server.url, apiKey({ value: 'wrong' }))

      await expect(connecting).rejects.toThrow()
      const sent = server.requests.filter(({ headers }) => headers['x-api-key'] !== undefined)
      expect(new Set(sent.map(({ method }) => method))).toEqual(new Set(['POST']))
    })

    it('says that there is nothing at a wrong address, and nothing of transports', async () => {
      const server = await startApiKeyServer({ keys: { 'key-1': 'alice' } })
      onTestFinished(() => server.close())
      const connecting = connect(make(), `${server.origin}/nothing`, apiKey({ value: 'key-1' }))
      const error: Error = await connecting.then(
        () => expect.unreachable(),
        (thrown) => thrown,
      )
      expect(error.message).not.toMatch(/SSE error/)
    })

    it('refuses what is no URL', async () => {
      const connecting = connect(make(), 'mcp.example.com/mcp', apiKey({ value: 'key-1' }))
      await expect(connecting).rejects.toThrow('starting with https://')
    })

    it('waits for a login that takes longer than a request may', async () => {
      const server = await startApiKeyServer({ keys: { 'key-1': 'alice' } })
      onTestFinished(() => server.close())
      const real = setTimeout
      const hurried = ((run: () => void, ms?: number) =>
        real(run, ms === 50_000 ? 50 : ms)) as never
      const timers = vi.spyOn(globalThis, 'setTimeout').mockImplementation(hurried)
      onTestFinished(() => timers.mockRestore())
      let finish: () => void = () => {}
      const isDone = new Promise<void>((resolve) => {
        finish = resolve
      })
      const provider: CredentialProvider = {
        name: 'slowLogin',
        interactive: true,
        async acquire() {
          await isDone
          return { apply: ({ headers }) => headers.set('X-API-Key', 'key-1') }
        },
      }
      const client = make()
      real(finish, 300)

      await connect(client, server.url, provider)
      const result = await client.callTool({ name: 'whoami' })
      await client.close()

      expect(JSON.stringify(result)).toContain('alice')
    })

    it('throws the error of the provider as it is', async () => {
      const server = await startApiKeyServer({ kind: 'sse', keys: {} })
      onTestFinished(() => server.close())
      const failure = new LoginRequiredError('no_credential', 'Nobody is logged in.')
      const provider = custom({ acquire: () => Promise.reject(failure) })

      await expect(connect(make(), server.url, provider)).rejects.toBe(failure)
    })

    it('closes the credentials and the client when it fails', async () => {
      const server = await testMcpServer({ apiKey: 'key-1' })
      onTestFinished(() => server.close())
      const events: CredentialEvent['type'][] = []
      const client = make()
      const close = vi.spyOn(client, 'close')
      const provider = apiKey({ value: 'wrong' })

      const connecting = connect(client, server.url, provider, {
        onEvent: ({ type }) => void events.push(type),
      })

      await expect(connecting).rejects.toThrow()
      expect(events.at(-1)).toBe('closed')
      expect(close).toHaveBeenCalled()
    })

    it('gives up when its signal aborts while a credential is acquired', async () => {
      const server = await testMcpServer()
      onTestFinished(() => server.close())
      const controller = new AbortController()
      const reason = new Error('the user left')
      let given: AbortSignal | undefined
      const provider: CredentialProvider = {
        name: 'slow',
        acquire(context) {
          given = context.signal
          controller.abort(reason)
          return new Promise(() => {})
        },
      }
      const events: CredentialEvent['type'][] = []

      const connecting = connect(make(), server.url, provider, {
        signal: controller.signal,
        onEvent: ({ type }) => void events.push(type),
      })

      await expect(connecting).rejects.toBe(reason)
      await vi.waitFor(() => expect(events.at(-1)).toBe('closed'))
      expect(given?.aborted).toBe(true)
      expect(server.requests).toEqual([])
    })

    it('gives up when its signal aborts while the server does not answer', async () => {
      const controller = new AbortController()
      const reason = new Error('the user left')
      let sent: AbortSignal | null | undefined
      const fetch = (_url: string | URL, init?: RequestInit) => {
        sent = init?.signal
        controller.abort(reason)
        return new Promise<Response>((_resolve, reject) => {
          sent?.addEventListener('abort', () => reject(sent?.reason))
        })
      }
      const events: CredentialEvent['type'][] = []

      const connecting = connect(make(), 'https://mcp.example.com/', apiKey({ value: 'key-1' }), {
        signal: controller.signal,
        fetch,
        onEvent: ({ type }) => void events.push(type),
      })

      await expect(connecting).rejects.toBe(reason)
      await vi.waitFor(() => expect(events.at(-1)).toBe('closed'))
      expect(sent?.aborted).toBe(true)
    })

    it('asks for nothing when its signal has aborted before', async () => {
      const reason = new Error('the user left')
      const acquire = vi.fn(() => new Promise<never>(() => {}))
      const signal = AbortSignal.abort(reason)
      const provider = { name: 'unused', acquire }

      const connecting = connect(make(), 'https://mcp.example.com/', provider, { signal })

      await expect(connecting).rejects.toBe(reason)
      expect(acquire).not.toHaveBeenCalled()
    })

    it('hands out what closes the transport and the credentials', async () => {
      const server = await testMcpServer({ apiKey: 'key-1' })
      onTestFinished(() => server.close())
      const events: CredentialEvent['type'][] = []
      const client = make()
      let isClosed = false
      client.onclose = () => {
        isClosed = true
      }
      const connection = await connect(client, server.url, apiKey({ value: 'key-1' }), {
        onEvent: ({ type }) => void events.push(type),
      })

      await Promise.all([connection.close(), connection[Symbol.asyncDispose]()])

      expect(isClosed).toBe(true)
      expect(events.filter((type) => type === 'closed')).toHaveLength(1)
      await expect(client.callTool({ name: 'echo' })).rejects.toThrow()
      await expect(connection.fetch(server.url)).rejects.toMatchObject({ code: 'closed' })
    })

    it('takes a selector in place of a provider', async () => {
      const server = await testMcpServer({ apiKey: 'key-of-acme' })
      onTestFinished(() => server.close())
      const selector = perTenant(
        () => 'acme',
        (tenant) => apiKey({ value: `key-of-${tenant}` }),
      )

      const connection = await connect(make(), server.url, selector)
      await connection.close()

      expect(server.requests.map(({ status }) => status)).not.toContain(401)
    })
  })
}
