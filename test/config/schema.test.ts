import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { providerTable } from '../../src/config/provider-table.ts'
import { configSchema } from '../../src/config/schema.ts'
import { authBlocks } from './auth-blocks.ts'
import { project, trusted } from './project.ts'

const schema = z.fromJSONSchema(configSchema() as Parameters<typeof z.fromJSONSchema>[0])
const url = 'https://crm.example.com/mcp'
const file = (members: object) => ({ mcpServers: { crm: { url, ...members } } })
const isValid = (content: unknown) => schema.safeParse(content).success

/** Whether the reader takes a file. */
async function isRead(content: unknown): Promise<boolean> {
  const { load } = await project({ '.mcp.json': content })
  return load(trusted).then(
    () => true,
    () => false,
  )
}

describe('the JSON Schema', () => {
  test('knows every provider that a file can name', () => {
    expect(authBlocks.map(({ provider }) => provider).sort()).toEqual(
      [...providerTable.keys()].sort(),
    )
  })

  test.each(authBlocks.map((auth) => [auth.provider, auth] as const))(
    'takes a block of %s, as the reader does',
    async (_name, auth) => {
      const content = file({ auth })

      expect([isValid(content), await isRead(content)]).toEqual([true, true])
    },
  )

  test.each(authBlocks.map((auth) => [auth.provider, auth] as const))(
    'refuses an unknown option of %s, as the reader does',
    async (_name, auth) => {
      const content = file({ auth: { ...auth, unknownOption: true } })

      expect([isValid(content), await isRead(content)]).toEqual([false, false])
    },
  )

  test.each([
    [{ auth: { provider: 'apiKey', value: 'a-literal-secret' } }],
    [{ auth: { provider: 'bearer', token: `\${TOKEN:-literal}` } }],
    [{ auth: { provider: 'apiKey' } }],
    [{ auth: { provider: 'nothing', value: 'env:A' } }],
    [{ auth: { provider: 'hmac', secret: 'env:A', hash: 'md5' } }],
    [{ auth: { provider: 'all', providers: [] } }],
    [{ tenants: { acme: {} } }],
    [{ environments: { dev: { command: 'x' } } }],
    [{ headers: { 'X-A': {} } }],
  ])('%#: refuses what the reader refuses', async (members) => {
    const content = file(members)

    expect([isValid(content), await isRead(content)]).toEqual([false, false])
  })

  test.each([
    [{ servers: { crm: { type: 'http', url } }, inputs: [{ id: 'a' }] }],
    [{ mcpServers: { local: { command: 'x', args: ['a'], env: { A: 'b' }, disabled: true } } }],
    [file({ environments: { dev: { url, auth: { provider: 'savedLogin' } } } })],
    [file({ tenants: { acme: { auth: { provider: 'bearer', token: 'env:A' } } } })],
    [file({ auth: { CLIENT_ID: 'a', scopes: ['b'] } })],
    [file({ oauth: { clientId: 'a' }, headersHelper: 'print-headers' })],
  ])('%#: takes what the known clients write', async (content) => {
    expect([isValid(content), await isRead(content)]).toEqual([true, true])
  })
})
