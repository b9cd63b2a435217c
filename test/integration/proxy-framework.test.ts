import { createMCPClient } from '@ai-sdk/mcp'
import { Experimental_StdioMCPTransport } from '@ai-sdk/mcp/mcp-stdio'
import { expect, it, onTestFinished } from 'vitest'
import { testMcpServer } from '../../src/testing/index.ts'
import { proxyWithToken } from '../support/proxy-home.ts'

it('lends a framework that starts its servers a credential, for lists and calls of tools', async () => {
  const server = await testMcpServer({ bearer: 'canary-token' })
  onTestFinished(() => server.close())
  const { command, args, env, cwd } = await proxyWithToken(server.url, 'canary-token')
  const transport = new Experimental_StdioMCPTransport({ command, args: [...args], env, cwd })
  const client = await createMCPClient({ transport })
  onTestFinished(() => client.close())

  const { echo } = await client.tools()
  const result = await echo?.execute({ text: 'from afar' }, {
    toolCallId: '1',
    messages: [],
  } as never)

  expect(result).toMatchObject({ content: [{ type: 'text', text: 'from afar' }] })
})
