import { expect, test } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { headersOf, project, trusted } from './project.ts'

const url = 'https://crm.example.com/mcp'
const server = (entry: object) => ({ mcpServers: { crm: { url, ...entry } } })

test.each([
  ['a header', { headers: { Authorization: `Bearer \${CRM_KEY}` } }],
  ['an API key', { auth: { provider: 'apiKey', value: 'env:CRM_KEY' } }],
  ['a signature', { auth: { provider: 'hmac', secret: 'env:CRM_KEY' } }],
  [
    'an HTTP signature',
    {
      auth: {
        provider: 'httpSignature',
        keyId: 'a',
        algorithm: 'hmac-sha256',
        secret: 'env:CRM_KEY',
      },
    },
  ],
  [
    'one of several',
    { auth: { provider: 'all', providers: [{ provider: 'bearer', token: 'env:CRM_KEY' }] } },
  ],
])('the error of a missing variable of %s names file, line and entry', async (_what, entry) => {
  const { load, root } = await project({ '.mcp.json': server(entry) })
  const config = await load(trusted)
  await expect(headersOf(config.credentials('crm'))).rejects.toMatchObject({
    code: 'secret_unavailable',
    retryAfter: 1,
    message: expect.stringMatching(
      /: server `crm`: .*variable CRM_KEY is not set.* Set CRM_KEY\.$/,
    ),
    remedy: 'Set CRM_KEY.',
  })
  await expect(headersOf(config.credentials('crm'))).rejects.toThrow(`${root}/.mcp.json:3:5: `)
})

test('the error of a missing variable of a process gives its remedy once', async () => {
  const entry = { command: 'node', env: { KEY: `\${CRM_KEY}` } }
  const { load } = await project({ '.mcp.json': { mcpServers: { crm: entry } } })
  const config = await load(trusted)
  await expect(config.environmentOf('crm')).rejects.toMatchObject({
    message: expect.stringMatching(/^\S+:3:5: server `crm`, env\.KEY.*not set\. Set CRM_KEY\.$/),
    remedy: 'Set CRM_KEY.',
  })
})

test('a file that was never trusted is told from one that has changed since', async () => {
  const auth = { provider: 'apiKey', value: 'env:CRM_KEY' }
  const { load, root, write } = await project({ '.mcp.json': server({ auth }) })
  const store = memoryStore()
  const before = await load({ store })
  expect(() => before.credentials('crm')).toThrow(`${root}/.mcp.json has not been trusted yet:`)
  await before.trust(before.files[0]?.path ?? '')
  expect((await load({ store })).credentials('crm').name).toBe('apiKey')
  await write('.mcp.json', server({ auth, headers: {} }))
  const after = await load({ store })
  expect(() => after.credentials('crm')).toThrow(
    `${root}/.mcp.json has changed since it was trusted:`,
  )
  expect(() => after.credentials('crm')).toThrow('`npx mcp-credentials trust ')
})
