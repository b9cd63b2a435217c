import { lstat, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultStore } from '../../src/auto/index.ts'
import { literalFindings } from '../../src/cli/import-literals.ts'
import { loadConfig } from '../../src/config/index.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

const url = 'https://crm.example.com/mcp'
const entry = { url, headers: { 'X-API-Key': 'canary-key' } }

/** Writes a file, and trusts it. */
async function writeTrusted(content: object | string, name = '.mcp.json'): Promise<string> {
  const path = join(world.folder, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content, null, 2))
  expect((await world.run(['--config', path, 'trust', path, '--yes'])).code).toBe(0)
  return path
}

describe('a key of a config file', () => {
  test('belongs to the URL beside it, whatever else has the same name', async () => {
    const projects = {
      [world.folder]: { mcpServers: { crm: { url: 'https://other.example.com/mcp' } } },
    }
    const mcpServers = { crm: { url, headers: { Authorization: 'Bearer canary-token' } } }
    await writeFile(join(world.folder, '.claude.json'), JSON.stringify({ projects, mcpServers }))
    const { stderr } = await world.run(['import', '--write'])
    expect(stderr).toContain(`Stored for ${url}.`)
    expect(stderr).not.toContain('other.example.com')
    expect((await world.run(['token', url])).stdout).toBe('canary-token\n')
  })

  test('is found in the entries of a project of Claude Code', async () => {
    const content = { projects: { [world.folder]: { mcpServers: { crm: entry } } } }
    await writeFile(join(world.folder, '.claude.json'), JSON.stringify(content))
    expect((await world.run(['import', '--write'])).stderr).toContain(`Stored for ${url}.`)
  })

  test('stays where the URL beside it is made of variables', async () => {
    await writeTrusted({ mcpServers: { crm: { ...entry, url: `\${CRM_URL}` } } })
    const { stdout } = await world.run(['import'], { env: { CRM_URL: url } })
    expect(stdout).toContain('its URL is not written out')
  })

  test('is not taken from a file that nobody trusts', async () => {
    const path = join(world.folder, '.mcp.json')
    await writeFile(path, JSON.stringify({ mcpServers: { crm: entry } }))
    const { stdout, stderr } = await world.run(['import', '--write'])
    expect(`${stdout}${stderr}`).not.toContain('canary-key')
    expect(stderr).toContain(`npx mcp-credentials trust ${path}`)
    expect(await world.records()).toEqual([])
  })

  test('is seen although it begins with a slash', async () => {
    await writeTrusted({
      mcpServers: { crm: { url, headers: { 'X-API-Key': '/9xk3canaryBase64==' } } },
    })
    const { stdout } = await world.run(['import'])
    expect(stdout).toMatch(/header X-API-Key +\S+ +ready/)
  })
})

describe('a config file that is shown', () => {
  test('holds no secret, wherever it stood', async () => {
    await writeTrusted(`{ // canary-comment \u001b]0;x\u0007
      "mcpServers": {
        "crm": { "url": "${url}", "headers": { "X-API-Key": "canary-key", "X-Tenant": "acme" } },
        "args": { "command": "srv", "args": ["--api-key", "canary-1", "--token=canary-2", "-v"] },
        "query": { "url": "${url}?key=canary-3" },
        "path": { "url": "https://h.example/c4n4ry0123456789abcdef/mcp", "cwd": "c4n4ry0123456789abcdef00" },
        "kept": { "command": "npx", "args": ["-y", "some-server"], "env": { "API_KEY": "\${KEY}" } }
      },
      "servers": { "crm": { "url": "${url}", "headers": { "X-API-Key": "canary-4" } } }
    }`)
    const { stdout } = await world.run(['import', '--write'])
    expect(stdout).not.toMatch(/canary|c4n4ry/)
    expect(stdout).not.toContain('\u001b')
    expect(JSON.parse(stdout)).toMatchObject({
      mcpServers: {
        crm: { url, headers: { 'X-Tenant': 'acme' } },
        query: { url: `${url}?<hidden>` },
        args: { args: ['--api-key', '<hidden>', '<hidden>', '-v'] },
        kept: { command: 'npx', args: ['-y', 'some-server'], env: { API_KEY: `\${KEY}` } },
      },
    })
  })

  test('is named without what acts on a terminal', async () => {
    const folder = join(world.folder, 'a\u001b[2Jb')
    await mkdir(folder)
    const path = join(folder, 'mcp.json')
    await writeFile(path, JSON.stringify({ mcpServers: { crm: entry } }))
    const argv = ['import', '--config', path]
    const [listed, written] = [await world.run(argv), await world.run([...argv, '--write'])]
    expect(listed.stdout).toContain('[2Jb/mcp.json:1')
    const inPlace = await world.run([...argv, '--write', '--in-place'])
    const runs = [listed, written, inPlace].flatMap(({ stdout, stderr }) => [stdout, stderr])
    expect(runs.join('')).not.toContain('\u001b')
  })
})

describe('a config file that is changed in place', () => {
  test('is the one that a link leads to', async () => {
    const real = await writeTrusted({ mcpServers: { crm: entry } }, 'dotfiles/mcp.json')
    const link = join(world.folder, 'mcp.json')
    await symlink(real, link)
    await world.run(['import', '--config', link, '--write', '--in-place'])
    expect(await readFile(real, 'utf8')).not.toContain('canary-key')
    expect((await lstat(link)).isSymbolicLink()).toBe(true)
  })

  test('keeps what another program has written meanwhile', async () => {
    const path = await writeTrusted({ mcpServers: { crm: entry } })
    const config = await loadConfig({ path, store: defaultStore(), trust: () => true })
    const [file] = await literalFindings(config)
    await writeFile(path, JSON.stringify({ mcpServers: { crm: entry }, history: ['new'] }))
    await file?.withoutSecrets(() => true, true)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({
      mcpServers: { crm: { url } },
      history: ['new'],
    })
  })

  test('is not said to be changed when nothing was taken out', async () => {
    const path = await writeTrusted({ mcpServers: { crm: entry } })
    await world.run(['set', url, '--bearer'], { input: 'other' })
    const { stderr } = await world.run(['import', '--config', path, '--write', '--in-place'])
    expect(stderr).not.toContain('Took')
    expect(stderr).toContain(`Nothing was taken out of ${path}`)
  })

  test('is said to hold those secrets that are left in it', async () => {
    const files = { command: 'node', env: { API_KEY: `\${A}canary-other` } }
    const path = await writeTrusted({ mcpServers: { crm: entry, files } })
    const { stderr } = await world.run(['import', '--config', path, '--write', '--in-place'])
    expect(stderr).toContain(`Took the secrets that were stored out of ${path}`)
    expect(stderr).toContain('Other secrets are left in it')
  })
})
