import { expect, test } from 'vitest'
import { saveSecret } from '../../src/auto/index.ts'
import { configSchema } from '../../src/config/schema.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { headersOf, project, trusted } from './project.ts'

const url = 'https://crm.example.com/mcp'

async function storeWith(name: string, value: string) {
  const store = memoryStore()
  await saveSecret(store, { name, value })
  return store
}

test('a header and a variable are made of a secret of the store, as it is when it is needed', async () => {
  const { load } = await project({
    '.mcp.json': {
      mcpServers: {
        crm: { url, headers: { Authorization: `Bearer \${stored:crm}` } },
        files: { command: 'x', env: { KEY: `\${stored:crm}` } },
      },
    },
  })
  const store = await storeWith('crm', 'canary-1')
  const config = await load({ ...trusted, store })
  expect(await headersOf(config.credentials('crm'))).toMatchObject({
    authorization: 'Bearer canary-1',
  })
  await saveSecret(store, { name: 'crm', value: 'canary-2' })
  expect(await config.environmentOf('files')).toEqual({ KEY: 'canary-2' })
})

test('a file that is not trusted gets no secret of the store', async () => {
  const { load } = await project({
    '.mcp.json': { mcpServers: { files: { command: 'x', env: { KEY: `\${stored:crm}` } } } },
  })
  const config = await load({ store: await storeWith('crm', 'canary') })
  await expect(config.environmentOf('files')).rejects.toThrow('has not been trusted yet')
})

test('without a store, the option is named that is missing', async () => {
  const { load } = await project({
    '.mcp.json': { mcpServers: { files: { command: 'x', env: { KEY: `\${stored:crm}` } } } },
  })
  await expect((await load(trusted)).environmentOf('files')).rejects.toThrow(
    'store: defaultStore()',
  )
})

test('a variable that is no text of ours is reported', async () => {
  const { load } = await project({
    '.mcp.json': { mcpServers: { crm: { url, headers: { 'X-A': `\${stored:a b}` } } } },
  })
  await expect(load(trusted)).rejects.toThrow('.mcp.json:6:16')
})

test('the schema knows the reference', () => {
  const { definitions } = configSchema() as {
    definitions: { secret: { anyOf: [{ pattern: string }] } }
  }
  expect('stored:crm').toMatch(new RegExp(definitions.secret.anyOf[0].pattern))
})
