import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { memoryStore, testMcpServer, testServers } from '../../src/testing/index.ts'
import { project, trusted } from './project.ts'

const client = () => new Client({ name: 'test', version: '1.0.0' })

/** A server that takes one key, or whatever comes. */
async function startServer(key?: string) {
  const server = await testMcpServer(key === undefined ? {} : { apiKey: key })
  onTestFinished(() => server.close())
  return server
}

describe('connect', () => {
  test('connects a client with the credential of the entry', async () => {
    const { url } = await startServer('key-1')
    const auth = { provider: 'apiKey', value: 'env:KEY' }
    const { load } = await project({
      '.mcp.json': { mcpServers: { crm: { url: url.href, auth } } },
    })
    const config = await load({ ...trusted, env: { KEY: 'key-1' } })

    const connection = await config.connect('crm', client())

    expect(connection.kind).toBe('streamable-http')
    await connection.close()
  })

  test.each([[{}], [{ headers: { 'X-Team': 'sales' } }]])(
    'connects to a server that asks for nothing: %j',
    async (members) => {
      const { url, requests } = await startServer()
      const entry = { url: url.href, ...members }
      const { load } = await project({ '.mcp.json': { mcpServers: { crm: entry } } })
      const config = await load(trusted)

      const connection = await config.connect('crm', client())

      await connection.close()
      const sent = requests.map(({ headers }) => new Headers(headers as never).get('X-Team'))
      expect(new Set(sent)).toEqual(new Set(['headers' in members ? 'sales' : null]))
    },
  )

  test.each([[{}], [{ headers: { 'X-Team': 'sales' } }]])(
    'uses the login that the store has, and asks for one where it has none: %j',
    async (members) => {
      const { resource, authorizationServer, close } = await testServers()
      onTestFinished(close)
      const entry = { url: resource.href, ...members }
      const { load } = await project({ '.mcp.json': { mcpServers: { crm: entry } } })
      const store = memoryStore()
      const config = await load({ ...trusted, store })

      await expect(config.connect('crm', client())).rejects.toMatchObject({
        code: 'login_required',
      })

      const person = authorizationCode({ onAuthorizationUrl: authorizationServer.visit })
      const login = authorizedFetch(person, { resource, store })
      await login.login()
      await login.close()
      const connection = await config.connect('crm', client())
      await connection.close()
    },
  )
})
