import { Client as Client2 } from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import { apiKey, custom, LoginRequiredError } from '../../src/index.ts'
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

    it('throws the error of the provider as it is', async () => {
      const server = await startApiKeyServer({ kind: 'sse', keys: {} })
      onTestFinished(() => server.close())
      const failure = new LoginRequiredError('no_credential', 'Nobody is logged in.')
      const provider = custom({ acquire: () => Promise.reject(failure) })

      await expect(connect(make(), server.url, provider)).rejects.toBe(failure)
    })
  })
}
