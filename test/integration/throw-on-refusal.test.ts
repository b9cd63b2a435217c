import { createMCPClient, type OAuthClientProvider } from '@ai-sdk/mcp'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import {
  apiKey,
  authorizedFetch,
  type CredentialError,
  type CredentialTransportOptions,
  isCredentialError,
  withCredentials,
} from '../../src/index.ts'
import { testMcpServer } from '../../src/testing/index.ts'
import { type Sdk, sdks } from '../support/sdk.ts'

const provider = () => apiKey({ value: 'wrong' })

async function refusing(kind: 'stateful' | 'sse') {
  const server = await startApiKeyServer({ kind, keys: {} })
  onTestFinished(() => server.close())
  return server
}

async function failureOf(task: Promise<unknown>): Promise<Record<string, unknown>> {
  return task.then(
    () => expect.unreachable(),
    (error) => error,
  )
}

function connected(sdk: Sdk, url: URL, kind: 'streamable' | 'sse', throwOnRefusal: boolean) {
  const options = withCredentials(provider(), { throwOnRefusal })
  const client = sdk.client()
  onTestFinished(async () => {
    await client.close()
    await options.close()
  })
  return client.connect(sdk[kind](url, options))
}

for (const sdk of sdks) {
  describe(`a final 401 with ${sdk.name}`, () => {
    it('is the error of the SDK, as its users know it, unless they ask for ours', async () => {
      const server = await refusing('stateful')
      const theirs = await failureOf(connected(sdk, server.url, 'streamable', false))
      const ours = await failureOf(connected(sdk, server.url, 'streamable', true))

      expect(isCredentialError(theirs)).toBe(false)
      if (sdk.major === 2) expect(theirs['status']).toBe(401)
      if (sdk.name === 'SDK 1.x (newest)') expect(theirs['code']).toBe(401)
      expect(isCredentialError(ours, 'unauthorized')).toBe(true)
      expect(ours['message']).toContain(
        `${server.url} refused the credential of apiKey from a value in the code with 401.`,
      )
      expect(ours['message']).toContain(`run \`npx mcp-credentials doctor ${server.url}\``)
    })

    it('ends the stream of the older transport, and does not make it reconnect', async () => {
      const server = await refusing('sse')
      const error = await failureOf(connected(sdk, server.url, 'sse', true))
      // The event source knows a status only after a response, and it goes on after anything else.
      expect(error['code']).toBe(401)
    })
  })
}

// What the documentation of both SDKs advises: Streamable HTTP, and where that fails, the older transport.
for (const sdk of sdks) {
  describe(`Streamable HTTP with a fallback to SSE, with ${sdk.name} and throwOnRefusal`, () => {
    const withFallback = async (url: URL, options: CredentialTransportOptions) => {
      const first = sdk.client()
      try {
        await first.connect(sdk.streamable(url, options))
        return { client: first, kind: 'streamable' }
      } catch (error) {
        const second = sdk.client()
        await second.connect(sdk.sse(url, options))
        return { client: second, kind: 'sse', error }
      }
    }
    const open = async (kind: 'stateful' | 'sse', value: string) => {
      const server = await startApiKeyServer({ kind, keys: { right: 'alice' } })
      const options = withCredentials(apiKey({ value }), { throwOnRefusal: true })
      onTestFinished(async () => {
        await options.close()
        await server.close()
      })
      return { server, connecting: withFallback(server.url, options) }
    }

    it.each(['stateful', 'sse'] as const)('reaches a %s server', async (kind) => {
      const { connecting } = await open(kind, 'right')
      const { client, kind: spoken } = await connecting
      onTestFinished(() => client.close())
      expect(spoken).toBe(kind === 'sse' ? 'sse' : 'streamable')
      expect(JSON.stringify(await client.callTool({ name: 'whoami' }))).toContain('alice')
    })

    it.each(['stateful', 'sse'] as const)('ends at a %s server that refuses', async (kind) => {
      const { server, connecting } = await open(kind, 'wrong')
      expect(String(await failureOf(connecting))).not.toContain('wrong')
      // The key is read anew once after the first 401, and no transport reconnects.
      const sent = server.requests.filter(({ headers }) => headers['x-api-key'] !== undefined)
      expect(sent.map(({ method }) => method)).toEqual(['POST', 'POST', 'GET'])
    })
  })
}

describe('a final 401 with the AI SDK', () => {
  const openClient = async (url: URL, throwOnRefusal: boolean) => {
    const fetch = authorizedFetch(provider(), { resource: url, throwOnRefusal })
    onTestFinished(() => fetch.close())
    return createMCPClient({
      transport: { type: 'http', url: url.href, fetch: fetch as typeof globalThis.fetch },
    })
  }

  it('has the `statusCode` that it branches on, unless the application asks for ours', async () => {
    const server = await refusing('stateful')
    const theirs = await failureOf(openClient(server.url, false))
    const ours = await failureOf(openClient(server.url, true))

    expect(theirs['statusCode']).toBe(401)
    expect(ours['statusCode']).toBeUndefined()
    expect(isCredentialError(ours, 'unauthorized')).toBe(true)
  })
})

describe('the AI SDK with throwOnRefusal', () => {
  const open = async (type: 'http' | 'sse', value: string) => {
    const kind = type === 'sse' ? 'sse' : 'stateful'
    const server = await startApiKeyServer({ kind, keys: { right: 'alice' } })
    const fetch = authorizedFetch(apiKey({ value }), { resource: server.url, throwOnRefusal: true })
    onTestFinished(async () => {
      await fetch.close()
      await server.close()
    })
    const transport = { type, url: server.url.href, fetch: fetch as typeof globalThis.fetch }
    return { server, connecting: createMCPClient({ transport }) }
  }

  it.each(['http', 'sse'] as const)('lists the tools of a server by %s', async (type) => {
    const client = await (await open(type, 'right')).connecting
    onTestFinished(() => client.close())
    expect(Object.keys(await client.tools())).toContain('whoami')
  })

  it.each(['http', 'sse'] as const)(
    'does not go on at a server that refuses, by %s',
    async (type) => {
      const { server, connecting } = await open(type, 'wrong')
      expect(String(await failureOf(connecting))).not.toContain('wrong')
      const sent = server.requests.filter(({ headers }) => headers['x-api-key'] !== undefined)
      // The second request is the library's, with the key read anew.
      expect(sent).toHaveLength(2)
    },
  )

  it('has no use for its own `authProvider`, whose login answers a 401', async () => {
    const asked: string[] = []
    const server = await refusing('stateful')
    const fetch = authorizedFetch(provider(), { resource: server.url, throwOnRefusal: true })
    onTestFinished(() => fetch.close())
    const authProvider = new Proxy({} as OAuthClientProvider, {
      get: (_target, name) => () => void asked.push(String(name)),
    })
    const type = 'http'
    const transport = { type, url: server.url.href, fetch: fetch as never, authProvider } as const
    const error = await failureOf(createMCPClient({ transport }))
    expect(isCredentialError(error, 'unauthorized')).toBe(true)
    expect(asked.filter((name) => name !== 'tokens')).toEqual([])
  })
})

describe('the option throwOnRefusal', () => {
  const send = async (status: number) => {
    const server = await testMcpServer()
    onTestFinished(() => server.close())
    server.refuse(Infinity, status)
    const fetch = authorizedFetch(provider(), { resource: server.url, throwOnRefusal: true })
    onTestFinished(() => fetch.close())
    return fetch(server.url, { method: 'POST', body: '{}' })
  }

  it('throws after a 403 too, with a code of its own', async () => {
    const error = (await failureOf(send(403))) as unknown as CredentialError
    expect(error).toMatchObject({ code: 'forbidden', status: 403, provider: 'apiKey' })
  })

  it.each([400, 404, 500])('returns a %i', async (status) => {
    expect((await send(status)).status).toBe(status)
  })
})
