import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { defaultStore, listSaved } from '../../src/auto/index.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

const initialize = `${JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  },
})}\n`

async function twoTenants() {
  const origin = await recordingOrigin((_request, response) => response.writeHead(403).end())
  const auth = (name: string) => ({ auth: { provider: 'bearer', token: `env:${name}` } })
  const tenants = { one: auth('ONE'), two: auth('TWO') }
  const path = join(world.folder, '.mcp.json')
  const crm = { url: `${origin.origin}/mcp`, tenants }
  await writeFile(path, JSON.stringify({ mcpServers: { crm } }))
  await world.run(['trust', path, '--yes'])
  return origin
}

const options = { env: { ONE: 'canary-1', TWO: 'canary-2' } }

describe('proxy', () => {
  it('uses the credential of the tenant that is chosen', async () => {
    const { requests } = await twoTenants()
    const input = { ...options, input: initialize }
    const { stdout } = await world.run(['proxy', 'crm', '--tenant', 'two'], input)
    expect(stdout).toContain('"id":1')
    expect(requests[0]?.headers.authorization).toBe('Bearer canary-2')
  })

  it('says that a tenant has to be chosen', async () => {
    await twoTenants()
    const { code, stderr } = await world.run(['proxy', 'crm'], options)
    expect(code).toBe(2)
    expect(stderr).toMatch(/has tenants: one, two\. Choose one with --tenant/)
  })
})

describe('set', () => {
  it.each([
    ['http://mcp.example.com/mcp', true],
    ['http://127.0.0.1:8080/mcp', false],
    ['http://localhost:8080/mcp', false],
    ['https://mcp.example.com/mcp', false],
  ])('says whether the key will not be sent: %s', async (url, isWarned) => {
    const { code, stderr } = await world.run(['set', url, '--bearer'], { input: 'canary-token' })
    expect([code, stderr.includes('allowInsecure')]).toEqual([0, isWarned])
  })
})

describe('two tenants that differ in the query of their URL', () => {
  it('are stored, listed and given up apart', async () => {
    const [ada, bob] = ['https://h.example/mcp?tenant=ada', 'https://h.example/mcp?tenant=bob']
    for (const url of [ada, bob]) await world.run(['set', url, '--bearer'], { input: 'canary' })
    const listed = await world.run(['list'])
    expect(listed.stdout).toContain(ada)
    expect(listed.stdout).toContain(bob)
    expect((await world.run(['logout', ada])).stdout).toContain(`for ${ada}`)
    const { stdout } = await world.run(['list'])
    expect(stdout).not.toContain(ada)
    expect(stdout).toContain(bob)
  })
})

describe('a tenant that would have no effect', () => {
  const url = 'https://crm.example.com/mcp'

  it.each(['headers', 'token', 'status', 'proxy', 'set --bearer', 'login'])(
    'is refused by %s, and the credential of no other is used',
    async (command) => {
      await world.run(['set', url, '--bearer'], { input: 'canary-default' })
      const mcpServers = { crm: { url } }
      await writeFile(join(world.folder, '.claude.json'), JSON.stringify({ mcpServers }))
      for (const server of [url, 'crm']) {
        const { code, stdout, stderr } = await world.run([
          ...command.split(' '),
          server,
          '--tenant',
          'acme',
        ])
        expect([code, stderr]).toEqual([2, expect.stringMatching(/has no tenants/)])
        expect(stdout).not.toContain('canary')
      }
    },
  )

  it('leaves the credentials of the others at a logout', async () => {
    await world.run(['set', url, '--bearer'], { input: 'canary-default' })
    const store = defaultStore()
    const record = await store.get(`${url} | default`)
    if (record === undefined) throw new Error('Nothing is stored.')
    for (const tenant of ['acme', 'globex']) await store.set(`${url} | default | ${tenant}`, record)
    const { code } = await world.run(['logout', url, '--tenant', 'acme'])
    expect(code).toBe(0)
    const left = (await listSaved(store)).map(({ tenant }) => tenant)
    expect(left).toEqual([undefined, 'globex'])
  })
})
