import assert from 'node:assert/strict'
import { withCredentials } from 'mcp-credentials'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import { type Sdk, sdks } from '../support/sdk.ts'
import { numbered, type RuntimeCase } from './case.ts'

function renewedInMidSession(sdk: Sdk, kind: 'streamable' | 'sse'): RuntimeCase {
  const transport = kind === 'sse' ? 'SSE' : 'Streamable HTTP'
  return {
    name: `${sdk.name} over ${transport}: every request is authenticated, and a token that is refused in mid-session is renewed`,
    async run() {
      let isRevoked = false
      const server = await startBearerServer({
        kind: kind === 'sse' ? 'sse' : 'stateful',
        tokens: (token) =>
          /^token-[12]$/.test(token) && !(isRevoked && token === 'token-1')
            ? { subject: token }
            : undefined,
      })
      const provider = numbered()
      const options = withCredentials(provider, { resource: server.url })
      const client = sdk.client()
      try {
        await client.connect(sdk[kind](server.url, options))
        const before = JSON.stringify(await client.callTool({ name: 'whoami' }))
        isRevoked = true
        const after = JSON.stringify(await client.callTool({ name: 'whoami' }))
        assert.match(before, /token-1/)
        assert.match(after, /token-2/)
        assert.deepEqual(provider.issued, ['token-1', 'token-2'])
        assert.ok(server.requests.every(({ headers }) => headers.authorization !== undefined))
      } finally {
        await client.close()
        await options.close()
        await server.close()
      }
    },
  }
}

/** The oldest and the newest of both major versions of the official SDK. */
export const transportCases: readonly RuntimeCase[] = sdks.flatMap((sdk) => [
  renewedInMidSession(sdk, 'streamable'),
  renewedInMidSession(sdk, 'sse'),
])
