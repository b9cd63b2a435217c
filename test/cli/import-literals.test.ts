import { randomUUID } from 'node:crypto'
import { lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { defaultStore, saveKey } from '../../src/auto/index.ts'
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
    expect(stdout).toContain('its URL contains variables')
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

describe('a key that is stored already', () => {
  const argv = ['import', '--write', '--in-place']

  test('is taken out of the file where it is the same', async () => {
    const path = await writeTrusted({ mcpServers: { crm: entry } })
    await world.run(['import', '--write'])
    const { code, stderr } = await world.run(argv)
    expect([code, stderr]).toEqual([0, expect.stringContaining('Removed the stored secrets')])
    expect(await readFile(path, 'utf8')).not.toContain('canary-key')
  })

  test('is kept where it is another, and the way out is said', async () => {
    const path = await writeTrusted({ mcpServers: { crm: entry } })
    await world.run(['set', url, '--bearer'], { input: 'canary-newer' })
    const { stderr } = await world.run(argv)
    expect(stderr).toContain(`run \`npx mcp-credentials logout ${url}\`, and import again`)
    expect(await readFile(path, 'utf8')).toContain('canary-key')
    expect((await world.run(['token', url])).stdout).toBe('canary-newer\n')
  })

  test('is kept although it was stored while the file was read', async () => {
    const path = await writeTrusted({ mcpServers: { crm: entry } })
    const store = defaultStore()
    const config = await loadConfig({ path, store, trust: () => true })
    const [file] = await literalFindings(config)
    const [finding] = file?.findings ?? []
    await saveKey(store, { resource: url, key: { type: 'bearer', token: 'canary-newer' } })
    // What an earlier look has shown does not count.
    const stale = { ...store, list: async () => [] }
    expect(await finding?.copyTo(stale, {})).toBeUndefined()
    expect((await world.run(['token', url])).stdout).toBe('canary-newer\n')
  })
})

describe('secrets of two projects that are imported at once', () => {
  test('get names of their own', async () => {
    const store = defaultStore()
    const projects = await Promise.all(
      ['a', 'b'].map(async (name) => {
        const env = { API_KEY: `canary-${name}` }
        const content = { mcpServers: { srv: { command: 'node', env } } }
        const path = await writeTrusted(content, `${name}/mcp.json`)
        const config = await loadConfig({ path, store, trust: () => true })
        return { path, file: (await literalFindings(config))[0] }
      }),
    )
    // Both saw the same store before either of them wrote.
    const stale = { ...store, list: async () => [] }
    for (const { file } of projects) {
      for (const finding of file?.findings ?? []) await finding.copyTo(stale, {})
      await file?.withoutSecrets(() => true, true)
    }
    const [a = '', b = ''] = await Promise.all(projects.map(({ path }) => readFile(path, 'utf8')))
    expect(a).toContain(`\${stored:srv.API_KEY}`)
    expect(b).toContain(`\${stored:srv.API_KEY.2}`)
    expect((await store.get('secret | srv.API_KEY'))?.data['value']).toBe('canary-a')
    expect((await store.get('secret | srv.API_KEY.2'))?.data['value']).toBe('canary-b')
  })
})

describe('a file that is not trusted', () => {
  test('is said to be the reason, with the command that helps, and the command fails', async () => {
    const path = join(world.folder, 'mcp.json')
    await writeFile(path, JSON.stringify({ mcpServers: { crm: entry } }))
    const help = `run: npx mcp-credentials trust ${path}\n`
    const listed = await world.run(['import', '--config', path])
    expect([listed.code, listed.stderr.endsWith(help)]).toEqual([0, true])
    expect(listed.stderr).not.toContain('--write')
    for (const more of [[], ['--in-place']]) {
      const { code, stdout, stderr } = await world.run([
        ...['import', '--config', path, '--write'],
        ...more,
      ])
      expect([code, stdout, stderr.endsWith(help)]).toEqual([1, '', true])
    }
  })
})

describe('what is to be done once secrets were taken out of a file', () => {
  test('is written out for clients that read headers', async () => {
    await writeTrusted({ mcpServers: { crm: entry } })
    const { stderr } = await world.run(['import', '--write', '--in-place', '--account', 'work'])
    expect(stderr).toContain(
      `"headersHelper": "npx -y mcp-credentials headers ${url} --account work"`,
    )
    const args = ['-y', 'mcp-credentials', 'proxy', url, '--account', 'work']
    expect(stderr).toContain(JSON.stringify({ command: 'npx', args }))
  })

  test('is written out for clients that start a process, wherever they start it', async () => {
    const files = { command: 'node', args: ['srv.js', '--token', 'canary-arg'] }
    const path = await writeTrusted({ mcpServers: { gh: { ...files, env: { TOKEN: 'canary' } } } })
    const { stderr } = await world.run(['import', '--write', '--in-place'])
    expect(stderr).toContain(
      `npx -y mcp-credentials exec gh --config ${path} -- node srv.js --token '<hidden>'`,
    )
  })

  test('works as it is written', async () => {
    const program = 'process.exit(process.env.TOKEN === "canary" ? 42 : 1)'
    const files = { command: process.execPath, args: ['-e', program], env: { TOKEN: 'canary' } }
    const path = await writeTrusted({ mcpServers: { gh: files } })
    await world.run(['import', '--write', '--in-place'])
    await world.run(['trust', path, '--yes'])
    const argv = ['exec', 'gh', '--config', path, '--', process.execPath, '-e', program]
    expect((await world.run(argv, { cwd: '/' })).code).toBe(42)
  })
})

describe('a header in the arguments of mcp-remote', () => {
  const remote = (...headers: readonly string[]) => ({
    command: 'npx',
    args: ['-y', 'mcp-remote', url, ...headers.flatMap((each) => ['--header', each])],
  })

  test('is stored, and the entry that replaces it is said', async () => {
    await writeTrusted({ mcpServers: { r: remote('Authorization: Bearer canary-token') } })
    const listed = await world.run(['import'])
    expect(listed.stdout).toMatch(/header Authorization of mcp-remote +\S+:3 +ready/)
    const { stdout, stderr } = await world.run(['import', '--write'])
    expect(`${listed.stdout}${stdout}${stderr}`).not.toContain('canary')
    expect(stderr).toContain(JSON.stringify(['-y', 'mcp-credentials', 'proxy', url]).slice(1, -1))
    expect((await world.run(['token', url])).stdout).toBe('canary-token\n')
  })

  test('is not stored without its file being trusted, nor where a part of it is read', async () => {
    const path = join(world.folder, '.mcp.json')
    const servers = { r: remote('X-API-Key:canary-key') }
    await writeFile(path, JSON.stringify({ mcpServers: servers }))
    expect((await world.run(['import', '--write'])).code).toBe(1)
    await writeTrusted({ mcpServers: { r: remote(`X-API-Key: \${KEY}canary`) } })
    const { stdout } = await world.run(['import'])
    expect(stdout).toContain('it contains a variable')
    expect(await world.records()).toHaveLength(1)
  })

  test('is named by the commands that need a URL', async () => {
    await writeTrusted({ mcpServers: { r: remote('X-API-Key: canary-key') } })
    const { stderr } = await world.run(['status', 'r'])
    expect(stderr).toContain(`npx mcp-credentials proxy ${url}`)
    expect(stderr).not.toContain('canary')
  })
})

describe('a config file that is shown', () => {
  test.each([
    ['npx', ['mcp-remote', url, '--header', 'X-API-Key: canary']],
    ['npx', ['mcp-remote', url, '--header', 'Authorization: Bearer canary']],
    ['pg', ['postgres://app:canary@db.local/x']],
    ['x', ['-p', 'canary', '--user=ada:canary', '-u', 'ada:canary']],
    ['x', ['-H', 'Cookie: sid=canary']],
    ['x', ['-H', 'X-Team: canary', '--dsn', 'Server=x;Password=canary']],
  ])('hides what the arguments of %s hold: %j', async (command, args) => {
    const other = { command, args, env: { DSN: 'mysql://u:canary@h/db', URI: 'x://canary@h' } }
    await writeTrusted({ mcpServers: { crm: entry, other } })
    const { stdout, stderr } = await world.run(['import', '--write'])
    expect(JSON.parse(stdout).mcpServers.other.command).toBe(command)
    expect(stdout + stderr).not.toContain('canary')
  })

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
  test('leaves no file beside it, and removes those of a process that was ended', async () => {
    const path = await writeTrusted({ mcpServers: { crm: entry } }, 'sub/mcp.json')
    const folder = join(world.folder, 'sub')
    // No process has a number above that of the system's largest.
    const left = `mcp.json.999999999-${randomUUID()}.tmp`
    const running = `mcp.json.${process.pid}-${randomUUID()}.tmp`
    const foreign = `mcp.json.${process.pid}.tmp`
    for (const name of [left, running, foreign]) await writeFile(join(folder, name), 'x')
    const { code } = await world.run(['import', '--config', path, '--write', '--in-place'])
    expect(code).toBe(0)
    expect((await readdir(folder)).sort()).toEqual(['mcp.json', foreign, running].sort())
    expect(await readFile(path, 'utf8')).not.toContain('canary-key')
  })

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
    expect(stderr).toContain(`No secrets were removed from ${path}`)
  })

  test('is said to hold those secrets that are left in it', async () => {
    const files = { command: 'node', env: { API_KEY: `\${A}canary-other` } }
    const path = await writeTrusted({ mcpServers: { crm: entry, files } })
    const { stderr } = await world.run(['import', '--config', path, '--write', '--in-place'])
    expect(stderr).toContain(`Removed the stored secrets from ${path}`)
    expect(stderr).toContain('It still contains other secrets')
  })
})
