import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { testMcpServer } from '../../src/testing/index.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

/** Words of the library, which nobody can type. */
const libraryWords =
  /`interactive`|onAuthorizationUrl|deviceCode\(\)|\w+\.value|\w+\.password|config\.connect|`credentials`|leave `port`/

/** A trusted config file in the folder of the world. */
async function configured(servers: object) {
  await writeFile(join(world.folder, '.mcp.json'), JSON.stringify({ mcpServers: servers }))
  await world.run(['trust', '--yes'])
}

async function keyServer(apiKey = 'right') {
  const server = await testMcpServer({ apiKey })
  onTestFinished(() => server.close())
  return server.url.href
}

const url = 'https://mcp.example.com/mcp'

describe('a refused credential', () => {
  test('of a config entry leads to that entry, and not to a login', async () => {
    const server = await keyServer()
    vi.stubEnv('CRM_KEY', 'canary-wrong')
    await configured({ crm: { url: server, auth: { provider: 'apiKey', value: 'env:CRM_KEY' } } })
    for (const target of ['crm', server]) {
      const argv = ['status', target, '--config', join(world.folder, '.mcp.json')]
      const { code, stderr } = await world.run(argv, { env: { CRM_KEY: 'canary-wrong' } })
      expect(code).toBe(4)
      expect(stderr).toContain('Check the credential of the entry `crm`')
      expect(stderr).toContain("env('CRM_KEY')")
      expect(stderr).not.toMatch(/mcp-credentials (?:login|set)/)
    }
  })
})

describe('login', () => {
  test('shows the issuer in each example with the secret of a client', async () => {
    const { stdout } = await world.run(['login', '--help'])
    const examples = stdout.replaceAll(/\\\n\s*/g, '').split('\n')
    const withSecret = examples.filter((line) =>
      /npx .*(?:--client-secret|client-credentials)/.test(line),
    )
    expect(withSecret).toHaveLength(2)
    for (const line of withSecret) expect(line).toContain('--issuer https://login.example.com')
  })
})

describe('what is piped into set', () => {
  test.each([
    ['', 'The piped text is empty.'],
    ['\n', 'The piped text is empty.'],
    ['one\ntwo\n', 'The piped text has 2 lines.'],
  ])('is refused with what is wrong with it: %j', async (input, problem) => {
    const { code, stderr } = await world.run(['set', url, '--bearer'], { input })
    expect(code).toBe(2)
    expect(stderr).toContain(problem)
    expect(stderr).not.toContain('terminal')
  })

  test('is one line for each header, in their order', async () => {
    const headers = ['--header', 'X-One', '--header', 'X-Two']
    const set = await world.run(['set', url, ...headers], { input: 'canary-1\ncanary-2\n' })
    expect(set.code).toBe(0)
    const { stdout } = await world.run(['headers', url])
    expect(JSON.parse(stdout)).toEqual({ 'x-one': 'canary-1', 'x-two': 'canary-2' })
    const short = await world.run(['set', url, ...headers], { input: 'canary-1\n' })
    expect(short.stderr).toContain('The piped text has one line. Pipe the 2 secrets in')
  })

  test('has a user name and a password for --basic', async () => {
    const { code, stderr } = await world.run(['set', url, '--basic'], { input: 'ada\n' })
    expect(code).toBe(2)
    expect(stderr).toContain('Enter both as USER:PASSWORD')
    expect(stderr).not.toMatch(libraryWords)
  })
})

describe('set', () => {
  test('says that a value typed as part of a header is in the history of the shell', async () => {
    const argv = ['set', url, '--header', 'X-API-Key: canary']
    const { code, stderr } = await world.run(argv, { input: 'x\n' })
    expect(code).toBe(2)
    expect(stderr).toContain('shell history')
    expect(stderr).not.toContain('canary')
  })

  test('of several headers is told in words', async () => {
    const server = await testMcpServer({ accept: ({ get: _, ...rest }) => rest !== undefined })
    onTestFinished(() => server.close())
    const headers = ['--header', 'X-One', '--header', 'X-Two']
    await world.run(['set', server.url.href, ...headers], { input: '1\n2\n' })
    const { stdout } = await world.run(['status', server.url.href])
    expect(stdout).toContain('Credential: stored headers.')
  })
})

describe('a mistake in the command line', () => {
  test.each([
    [['set', url, '--nothing'], 'Run `npx mcp-credentials set --help`'],
    [['key', 'rotate', '--nothing'], 'Run `npx mcp-credentials key rotate --help`'],
    [['nothing'], 'Run `npx mcp-credentials --help`'],
  ])('leads to the help that is about it: %j', async (argv, hint) => {
    const { code, stderr } = await world.run(argv)
    expect(code).toBe(2)
    expect(stderr).toContain(hint)
  })

  test('can be avoided, because the help of a command has the options of all commands', async () => {
    const { stdout } = await world.run(['status', '--help'])
    for (const option of ['--account', '--config', '--tenant']) expect(stdout).toContain(option)
  })

  test.each([
    ['127.0.0.1:1/mcp', 'http://127.0.0.1:1/mcp'],
    ['localhost:1/mcp', 'http://localhost:1/mcp'],
    ['mcp.example.com/mcp', 'https://mcp.example.com/mcp'],
  ])('in a URL without its beginning leads to the likely one: %s', async (given, meant) => {
    const { stderr } = await world.run(['status', given])
    expect(stderr).toContain(`Use \`${meant}\`.`)
  })

  test('in a name where there is no config file has a next step, also for proxy', async () => {
    for (const command of ['status', 'proxy']) {
      const { code, stderr } = await world.run([command, 'crm'])
      expect(code).toBe(2)
      expect(stderr).toContain('Pass its URL')
    }
  })
})

describe('a server that redirects', () => {
  test('is named with where it redirects to', async () => {
    const { origin } = await recordingOrigin((_request, response) => {
      response.writeHead(302, { location: 'https://login.example.com/start?x=1' }).end()
    })
    const { stderr } = await world.run(['status', `${origin}/mcp`])
    expect(stderr).toContain('redirects (status 302) to https://login.example.com/start')
    expect(stderr).not.toContain('cannot be reached')
  })
})

describe('entries with environments and tenants', () => {
  const auth = { provider: 'apiKey', value: 'env:K' }

  test('lead to the environments that there are', async () => {
    const environments = { staging: { url, auth }, production: { url, auth } }
    await configured({ crm: { environments } })
    const { code, stderr } = await world.run(['status', 'crm'])
    expect(code).toBe(2)
    expect(stderr).toContain('`--environment staging` or `--environment production`')
    expect(stderr).not.toContain('Correct that entry')
  })

  test('lead to the tenants that there are', async () => {
    const tenants = { acme: { auth }, globex: { auth } }
    await configured({ crm: { url, tenants } })
    const { code, stderr } = await world.run(['status', 'crm', '--tenant', 'nobody'])
    expect(code).toBe(2)
    expect(stderr).toContain('has no tenant `nobody`. Choose one of its tenants: acme, globex.')
  })

  test('lead from the URL to the name', async () => {
    const tenants = { acme: { auth }, globex: { auth } }
    await configured({ crm: { url, tenants } })
    const config = join(world.folder, '.mcp.json')
    const argv = ['status', url, '--tenant', 'acme', '--config', config]
    const { code, stderr } = await world.run(argv)
    expect(code).toBe(2)
    expect(stderr).toContain('Pass the name of the entry, or omit --tenant.')
    expect(stderr).not.toMatch(libraryWords)
  })
})

describe('the words of a command', () => {
  test('say that exec does not start a server with a URL', async () => {
    await configured({ crm: { url } })
    const { code, stderr } = await world.run(['exec', 'crm'])
    expect(code).toBe(2)
    expect(stderr).toContain('npx mcp-credentials proxy crm')
    expect(stderr).not.toMatch(libraryWords)
  })

  test('say that the port of proxy is in use', async () => {
    const { origin } = await recordingOrigin()
    const { port } = new URL(origin)
    const { code, stderr } = await world.run(['proxy', url, '--listen', port])
    expect(code).toBe(2)
    expect(stderr).toContain(`The port ${port} is in use or reserved`)
    expect(stderr).not.toMatch(libraryWords)
  })

  test('name a key beside a login where nothing is stored', async () => {
    const { stderr } = await world.run(['list'])
    expect(stderr).toContain('npx mcp-credentials set URL --header X-API-Key')
  })
})

describe('a test server with a key', () => {
  test('is recognized by doctor as one', async () => {
    const { stdout } = await world.run(['doctor', await keyServer()])
    expect(stdout).toContain("apiKey({ value: env('MCP_API_KEY') })")
    expect(stdout).not.toContain('bearer(')
  })
})

test('completion offers the servers for which something is stored', async () => {
  await world.run(['set', url, '--bearer'], { input: 'canary\n' })
  const printed: unknown[] = []
  vi.spyOn(console, 'log').mockImplementation((line) => void printed.push(line))
  onTestFinished(() => void vi.restoreAllMocks())
  await world.run(['complete', '--', 'status', ''])
  expect(printed.join('\n')).toContain(url)
})
