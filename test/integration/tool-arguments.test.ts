import { describe, expect, onTestFinished, test } from 'vitest'
import {
  startToolArgumentsServer,
  type ToolArgumentsServerOptions,
} from '../../examples/servers/tool-arguments-server.ts'
import { bearer } from '../../src/index.ts'
import { type ToolArgumentsOptions, withToolArguments } from '../../src/mcp/tool-arguments.ts'
import { sdks, type TestTransport } from '../support/sdk.ts'

const isRejected = (answer: unknown) => JSON.stringify(answer).includes('auth_token is not valid')

describe.each(sdks)('tools that take a token as an argument, with $name', (sdk) => {
  async function start(
    options: Omit<ToolArgumentsOptions, 'resource'>,
    { kind = 'stateful' }: Pick<ToolArgumentsServerOptions, 'kind'> = {},
  ) {
    const server = await startToolArgumentsServer({ tokens: { 'token-1': 'alice' }, kind })
    onTestFinished(() => server.close())
    const original =
      kind === 'sse' ? sdk.sse(server.url, { fetch }) : sdk.streamable(server.url, { fetch })
    const transport = withToolArguments(
      original as TestTransport & Parameters<typeof withToolArguments>[0],
      {
        resource: server.url,
        ...options,
      },
    )
    const client = sdk.client()
    onTestFinished(() => client.close())
    await client.connect(transport)
    return { server, client, transport }
  }

  test.each(['stateful', 'stateless', 'sse'] as const)(
    'a %s server lets the caller in',
    async (kind) => {
      const { client } = await start({ arguments: { auth_token: bearer('token-1') } }, { kind })

      const identity = await client.callTool({ name: 'whoami' })
      const echo = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })

      expect(JSON.stringify(identity)).toContain('alice')
      expect(JSON.stringify(echo)).toContain('hello')
    },
  )

  test('the token is in the calls of the chosen tools and nowhere else', async () => {
    const { client, server, transport } = await start({
      arguments: { auth_token: 'token-1' },
      tools: ['whoami'],
    })

    await client.listTools()
    const whoami = await client.callTool({ name: 'whoami' })
    const other = await client.callTool({ name: 'arguments', arguments: { colour: 'red' } })
    await transport.terminateSession?.()

    const carrying = server.requests.filter((request) =>
      JSON.stringify(request).includes('token-1'),
    )
    expect(JSON.stringify(whoami)).toContain('alice')
    expect(JSON.stringify(other)).toContain('"colour"')
    expect(carrying.map(({ body }) => JSON.parse(body).params.name)).toEqual(['whoami'])
    expect(server.requests.at(-1)?.method).toBe('DELETE')
  })

  test('a token that the server no longer takes is renewed for the next call', async () => {
    let token = 'token-1'
    const { client, server } = await start({
      arguments: { auth_token: bearer(() => token) },
      isRejected,
    })
    await client.callTool({ name: 'whoami' })
    server.replaceTokens({ 'token-2': 'alice' })
    token = 'token-2'

    const refused = await client.callTool({ name: 'whoami' })
    const accepted = await client.callTool({ name: 'whoami' })

    expect(JSON.stringify(refused)).toContain('auth_token is not valid')
    expect(JSON.stringify(accepted)).toContain('alice')
  })

  test('a credential that cannot be had rejects the call with its own error', async () => {
    const { client, server } = await start({ arguments: { auth_token: () => '' } })
    const before = server.requests.length

    await expect(client.callTool({ name: 'whoami' })).rejects.toMatchObject({
      code: 'secret_unavailable',
    })
    const calls = server.requests.slice(before).filter(({ body }) => body.includes('tools/call'))
    expect(calls).toEqual([])
  })
})
