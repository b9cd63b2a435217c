import { createMCPClient } from '@ai-sdk/mcp'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import {
  apiKey,
  authorizedFetch,
  type CredentialError,
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
      if (sdk.name.startsWith('SDK 2')) expect(theirs['status']).toBe(401)
      if (sdk.name.includes('newest')) expect(theirs['code']).toBe(401)
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
