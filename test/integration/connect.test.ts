import { Client as Client2 } from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import { apiKey, type CredentialProvider, custom, LoginRequiredError } from '../../src/index.ts'
import { connect } from '../../src/mcp/index.ts'

const info = { name: 'test', version: '1.0.0' }
const clients = [
  { version: '1.x', make: () => new Client1(info) },
  { version: '2.x', make: () => new Client2(info) },
]

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
      expect(new Set(server.requests.map(({ method }) => method))).toEqual(new Set(['POST']))
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
      await expect(connecting).rejects.toThrow('beginning with https://')
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
  })
}
