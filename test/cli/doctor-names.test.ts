import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { testMcpServer } from '../../src/testing/index.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

/** Writes a config file of the project, and trusts it. */
async function writeConfig(servers: object): Promise<string> {
  const path = join(world.folder, '.mcp.json')
  await writeFile(path, `${JSON.stringify({ mcpServers: servers }, null, 2)}\n`)
  await world.run(['trust', path, '--yes'])
  return path
}

async function server(options: Parameters<typeof testMcpServer>[0] = {}): Promise<string> {
  const { url, close } = await testMcpServer(options)
  onTestFinished(close)
  return url.href
}

describe('doctor with the name of a server', () => {
  test('examines the server of the entry, and says what the entry would send', async () => {
    const url = await server({ apiKey: 'canary-secret' })
    const auth = { provider: 'apiKey', value: 'env:CRM_KEY' }
    const path = await writeConfig({ crm: { url, auth } })

    const { code, stdout } = await world.run(['doctor', 'crm', '--json'], {
      env: { CRM_KEY: 'canary-secret' },
    })

    expect(code).toBe(0)
    expect(stdout).not.toContain('canary-secret')
    const seen = JSON.parse(stdout)
    expect(seen.url).toBe(url)
    expect(seen.findings).toContainEqual({
      id: 'config',
      verdict: 'ok',
      text: `The entry \`crm\` of ${path}, line 3. Credential: API key.`,
      remedy: 'Not tested; to test it, run `npx mcp-credentials status crm`.',
    })
    expect(Object.keys(seen.recommendation.mcpJson.mcpServers)).toEqual(['crm'])
  })

  test('says that an entry without a credential sends what is stored', async () => {
    await writeConfig({ notes: { url: await server() } })

    const { stdout } = await world.run(['doctor', 'notes'])

    expect(stdout).toMatch(/Config: The entry `notes` of \S+,\s+line 3\./)
    expect(stdout.replace(/\s+/g, ' ')).toContain(
      'Credential: the stored credential of the server.',
    )
  })

  test('names the environment that was chosen', async () => {
    const url = await server()
    const environments = { staging: { url } }
    await writeConfig({ crm: { url: 'https://crm.example.com/mcp', environments } })

    const { stdout } = await world.run(['doctor', 'crm', '--environment', 'staging', '--json'])

    const { findings, ...seen } = JSON.parse(stdout)
    expect(seen.url).toBe(url)
    const [config] = findings.filter(({ id }: { readonly id: string }) => id === 'config')
    expect(config.text).toContain('environment staging')
  })

  test('sends nothing to the server of a file that is not trusted', async () => {
    const { url, close, requests } = await testMcpServer()
    onTestFinished(close)
    const servers = { crm: { url: url.href, auth: { provider: 'bearer', token: 'env:T' } } }
    await writeFile(join(world.folder, '.mcp.json'), JSON.stringify({ mcpServers: servers }))

    const { code, stderr } = await world.run(['doctor', 'crm'])

    expect(code).toBe(2)
    expect(stderr).toContain('npx mcp-credentials trust')
    expect(requests).toEqual([])
  })

  test.each([
    ['mcp.example.com/mcp', 'Use `https://mcp.example.com/mcp`.'],
    ['localhost:3000/mcp', 'Use `http://localhost:3000/mcp`.'],
    ['ftp://mcp.example.com', 'Pass its URL, such as https://mcp.example.com/mcp'],
    ['notes', 'Pass its URL, such as https://mcp.example.com/mcp'],
  ])('refuses %s, and says what to type', async (typed, remedy) => {
    const { code, stderr } = await world.run(['doctor', typed])
    expect(code).toBe(2)
    expect(stderr).toContain(remedy)
  })

  test('says that a server without a URL is started and not reached', async () => {
    await writeConfig({ files: { command: 'node', args: ['server.js'] } })
    const { code, stderr } = await world.run(['doctor', 'files'])
    expect(code).toBe(2)
    expect(stderr).toContain('npx mcp-credentials exec files')
  })
})
