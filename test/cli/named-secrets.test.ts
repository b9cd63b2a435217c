import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testMcpServer } from '../../src/testing/index.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

async function writeConfig(servers: object, name = '.mcp.json'): Promise<string> {
  const path = join(world.folder, name)
  await mkdir(join(path, '..'), { recursive: true })
  await writeFile(path, `${JSON.stringify({ mcpServers: servers }, null, 2)}\n`)
  return path
}

const keep = (name: string, input: string) => world.run(['set', '--secret', name], { input })
const stored = (name: string) => `\${stored:${name}}`
/** The exit code says whether the process was given the secret. */
const check = (value: string, name = 'API_KEY') => [
  process.execPath,
  '-e',
  `process.exit(process.env.${name} === ${JSON.stringify(value)} ? 42 : 1)`,
]

describe('a named secret', () => {
  test('is stored, and given to the process whose entry names it', async () => {
    const { code, stdout, stderr } = await keep('files.key', 'canary-secret\n')
    expect([code, stdout]).toEqual([0, 'Stored the secret files.key.\n'])
    expect(stderr).toContain(`\${stored:files.key}`)
    expect(`${stdout}${stderr}${await world.written()}`).not.toContain('canary')
    const path = await writeConfig({
      files: { command: 'x', env: { API_KEY: stored('files.key') } },
    })
    const argv = ['exec', 'files', '--', ...check('canary-secret')]
    const refused = await world.run(argv)
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('trust')])
    const trust = await world.run(['trust', path, '--yes'])
    expect(trust.stderr).toContain('reads stored:files.key (env.API_KEY)')
    expect((await world.run(argv)).code).toBe(42)
    const replaced = await keep('files.key', 'canary-other')
    expect(replaced.stdout).toContain('replaced the earlier value')
    expect((await world.run(argv)).code).toBe(1)
  })

  test('is sent to the server whose auth block names it', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    await keep('crm', 'canary-key')
    const auth = { provider: 'apiKey', value: 'stored:crm' }
    const path = await writeConfig({ crm: { url: server.url.href, auth } })
    const refused = await world.run(['status', 'crm'])
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('trust')])
    await world.run(['trust', path, '--yes'])
    expect((await world.run(['status', 'crm'])).code).toBe(0)
    await server.close()
  })

  test('that is missing is named with the command that stores it', async () => {
    const path = await writeConfig({ files: { command: 'x', env: { API_KEY: stored('gone') } } })
    await world.run(['trust', path, '--yes'])
    const { code, stderr } = await world.run(['exec', 'files', '--', 'true'])
    expect(code).toBe(1)
    expect(stderr).toContain('env.API_KEY: no secret `gone` is stored.')
    expect(stderr).toContain('Run `npx mcp-credentials set --secret gone`.')
  })

  test('is listed without its value, and with the servers that use it', async () => {
    await keep('files.key', 'canary-secret')
    await keep('other', 'canary-other')
    await writeConfig({ files: { command: 'x', env: { API_KEY: stored('files.key') } } })
    const { stdout, stderr } = await world.run(['list'])
    expect(stdout).toMatch(/^SECRET +STORED +USED BY\nfiles\.key +.* +files\nother +.* +-$/m)
    const json = await world.run(['list', '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({
      credentials: [],
      secrets: [
        { name: 'files.key', usedBy: ['files'] },
        { name: 'other', usedBy: [] },
      ],
    })
    expect(`${stdout}${stderr}${json.stdout}`).not.toContain('canary')
  })

  test('is deleted by its name alone, and with everything else', async () => {
    await keep('one', 'canary-1')
    await keep('two', 'canary-2')
    const deleted = await world.run(['logout', '--secret', 'one'])
    expect([deleted.code, deleted.stdout]).toEqual([0, 'Deleted the secret one.\n'])
    const again = await world.run(['logout', '--secret', 'one'])
    expect([again.code, again.stdout]).toEqual([0, ''])
    expect(again.stderr).toContain('No secret of that name is stored.')
    const all = await world.run(['logout', '--all', '--yes'])
    expect(all.stdout).toBe('Deleted the secret two.\n')
    expect(await world.records()).toEqual([])
  })

  test.each([
    ['a name with other characters', ['set', '--secret', 'a b'], 'letters, digits'],
    [
      'a secret and a server',
      ['set', 'https://mcp.example.com/mcp', '--secret', 'a'],
      'cannot be combined with a server',
    ],
    ['a secret and a key', ['set', '--secret', 'a', '--bearer'], 'Exactly one kind'],
    ['neither a secret nor a server', ['set', '--bearer'], 'The server of the key is missing'],
    ['a secret and everything', ['logout', '--secret', 'a', '--all'], 'logout requires a server'],
    [
      'a secret and a server to log out of',
      ['logout', 'crm', '--secret', 'a'],
      'logout requires a server',
    ],
  ])('refuses %s', async (_what, argv, text) => {
    const { code, stderr } = await world.run(argv, { input: 'canary' })
    expect([code, stderr]).toEqual([2, expect.stringContaining(text)])
    expect(await world.records()).toEqual([])
  })
})

describe('a question', () => {
  test.each([
    ['a terminal', { isInteractive: true }, /Value of the secret/],
    ['a pipe that stays open', {}, /^$/],
  ])('in %s ends with the command, and nothing is stored', async (_where, options, asked) => {
    const running = world.start(['set', '--secret', 'a'], options)
    await running.stderrMatch(asked)
    running.stdin.write('canary')
    running.interrupt()
    const { code, stdout, stderr } = await running.finished
    expect([code, stdout]).toEqual([130, ''])
    expect(stderr).not.toContain('canary')
    expect(await world.records()).toEqual([])
  })
})

describe('import of the variables of a stdio server', () => {
  test('stores them, and writes references in their place', async () => {
    const env = { API_KEY: 'canary-key', LEVEL: 'debug', TOKEN: 'canary-token' }
    const path = await writeConfig({ files: { command: 'node', args: ['srv.js'], env } })
    const untrusted = await world.run(['import'])
    expect(untrusted.stdout).toContain(`npx mcp-credentials trust ${path}`)
    await world.run(['trust', path, '--yes'])
    expect((await world.run(['import'])).stdout).toMatch(/files +variable API_KEY +\S+:9 +ready/)
    const shown = await world.run(['import', '--write'])
    const references = { API_KEY: stored('files.API_KEY'), TOKEN: stored('files.TOKEN') }
    expect(JSON.parse(shown.stdout)).toEqual({
      mcpServers: {
        files: { command: 'node', args: ['srv.js'], env: { ...references, LEVEL: 'debug' } },
      },
    })
    expect(shown.stderr).toContain('Stored the secret files.API_KEY.')
    expect(`${shown.stdout}${shown.stderr}`).not.toContain('canary')
    expect(shown.stderr).toContain(
      `npx -y mcp-credentials exec files --config ${path} -- node srv.js`,
    )
    // What is stored already is the same.
    const written = await world.run(['import', '--write', '--in-place'])
    expect(written.stderr).toContain(`Removed the stored secrets from ${path}.`)
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject(JSON.parse(shown.stdout))
    await world.run(['trust', path, '--yes'])
    expect((await world.run(['exec', 'files', '--', ...check('canary-key')])).code).toBe(42)
    expect((await world.run(['exec', 'files', '--', ...check('canary-token', 'TOKEN')])).code).toBe(
      42,
    )
  })

  test('keeps another secret of the same name, and takes a name that is free', async () => {
    await keep('files.API_KEY', 'canary-other')
    const path = await writeConfig({ files: { command: 'x', env: { API_KEY: 'canary-key' } } })
    await world.run(['trust', path, '--yes'])
    const { stdout } = await world.run(['import', '--write'])
    expect(stdout).toContain(stored('files.API_KEY.2'))
    const reference = await writeConfig({
      one: { command: 'x', env: { API_KEY: stored('files.API_KEY') } },
    })
    await world.run(['trust', reference, '--yes'])
    expect((await world.run(['exec', 'one', '--', ...check('canary-other')])).code).toBe(42)
  })

  test('leaves what could not be read from the store', async () => {
    const env = { NODE_AUTH_TOKEN: 'canary-1', API_KEY: `\${A}-canary-2` }
    const path = await writeConfig({ 'my files': { command: 'x', env } })
    await world.run(['trust', path, '--yes'])
    const { stdout } = await world.run(['import'])
    expect(stdout).toMatch(
      /variable NODE_AUTH_TOKEN .*a variable of this name cannot hold a stored secret/,
    )
    expect(stdout).toMatch(/variable API_KEY .*replace it yourself/)
    expect((await world.run(['import', '--write'])).stdout).toContain('<hidden>')
  })
})

describe('a config file that was changed in place', () => {
  const servers = { files: { command: 'x', env: { API_KEY: 'canary-key' } } }

  test('has to be trusted again, and the command is said', async () => {
    const path = await writeConfig(servers)
    await world.run(['trust', path, '--yes'])
    const { stderr } = await world.run(['import', '--write', '--in-place'])
    expect(stderr).toContain(
      `${path} has changed. To trust it again, run: npx mcp-credentials trust ${path}`,
    )
  })

  test('is trusted as it is when it is the user’s own', async () => {
    await writeConfig(servers, '.cursor/mcp.json')
    const { stderr } = await world.run(['import', '--write', '--in-place'])
    expect(stderr).toContain('Removed the stored secrets')
    expect(stderr).not.toContain('trusted again')
    expect((await world.run(['exec', 'files', '--', ...check('canary-key')])).code).toBe(42)
  })
})
