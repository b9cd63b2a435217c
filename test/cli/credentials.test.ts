import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { defaultStore } from '../../src/auto/index.ts'
import { type TestMcpServer, testMcpServer, testServers } from '../../src/testing/index.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(async () => {
  vi.useRealTimers()
  await world.close()
})

/** Logs in with a browser that consents at once. */
async function loggedIn(servers: Awaited<ReturnType<typeof testServers>>): Promise<void> {
  const running = world.start(['login', servers.resource.href, '--no-browser'])
  const [url] = await running.stderrMatch(/http\S+\/authorize\?\S+/)
  await servers.authorizationServer.visit(new URL(url))
  expect((await running.finished).code).toBe(0)
}

describe('set', () => {
  const secret = 'canary-secret-of-thirty-two-bytes-at-least'
  const seen = ({ requests }: TestMcpServer) => requests.at(-1)?.headers

  test.each([
    ['a key in a header', ['--header', 'X-API-Key'], secret, 'x-api-key', secret],
    ['a bearer token', ['--bearer'], secret, 'authorization', `Bearer ${secret}`],
    [
      'a pasted Authorization value',
      ['--bearer'],
      `Bearer ${secret}`,
      'authorization',
      `Bearer ${secret}`,
    ],
    ['a password', ['--basic', 'ada'], secret, 'authorization', `Basic ${btoa(`ada:${secret}`)}`],
    [
      'a user with a password',
      ['--basic'],
      `ada:${secret}`,
      'authorization',
      `Basic ${btoa(`ada:${secret}`)}`,
    ],
  ])('stores %s, which is sent from then on', async (_what, argv, input, header, value) => {
    const server = await testMcpServer()
    const stored = await world.run(['set', server.url.href, ...argv], { input: `${input}\n` })
    expect(stored.stderr).not.toContain('error')
    expect(stored.code).toBe(0)
    expect(stored.stdout).toContain(`Stored for ${server.url.href}`)
    expect(`${stored.stdout}${stored.stderr}${await world.written()}`).not.toContain('canary')
    expect((await world.run(['status', server.url.href])).code).toBe(0)
    expect(seen(server)?.get(header)).toBe(value)
    await server.close()
  })

  test('names the server for which it asks for the secret', async () => {
    const { finished, stdin, stderrMatch } = world.start(
      ['set', 'https://crm.example.com/mcp', '--bearer'],
      { isInteractive: true },
    )
    await stderrMatch(/Token for https:\/\/crm\.example\.com\/mcp/)
    stdin.write('canary-token\r')
    expect((await finished).code).toBe(0)
  })

  test('says where secrets are kept the first time only', async () => {
    const argv = ['set', 'https://mcp.example.com/mcp', '--bearer']
    const first = await world.run(argv, { input: 'canary' })
    expect(first.stderr).toContain('Encrypted files in')
    const second = await world.run(argv, { input: 'canary' })
    expect(second.code).toBe(0)
    expect(second.stderr).not.toContain('Encrypted files in')
  })

  test('stores a secret that signs, with its options', async () => {
    const server = await testMcpServer()
    const options = ['--hmac', '--option', 'keyId=k1', '--option', 'signatureHeader=X-Sig']
    const { code } = await world.run(['set', server.url.href, ...options], { input: secret })
    expect(code).toBe(0)
    expect((await world.run(['status', server.url.href])).code).toBe(0)
    expect(seen(server)?.get('x-sig')).toMatch(/^[0-9a-f]{64}$/)
    expect(seen(server)?.get('x-key-id')).toBe('k1')
    const jwt = ['--jwt', '--option', 'algorithm=HS256', '--option', 'expiresIn=60']
    const second = await world.run(['set', server.url.href, ...jwt], { input: secret })
    expect(second.stdout).toContain('replaced the HMAC key')
    expect((await world.run(['status', server.url.href])).code).toBe(0)
    const [, claims = ''] = (seen(server)?.get('authorization') ?? '').split('.')
    const { iat, exp } = JSON.parse(atob(claims)) as { iat: number; exp: number }
    expect(exp - iat).toBe(60)
    await server.close()
  })

  test.each([
    ['no kind of key', [], 'Add one of --header NAME'],
    ['two kinds', ['--bearer', '--hmac'], 'Exactly one kind'],
    [
      'a secret on the command line',
      ['--hmac', '--option', 'secret=canary'],
      'the command asks for it',
    ],
    ['no secret', ['--bearer'], 'Pipe the secret in'],
  ])('refuses %s', async (_what, argv, text) => {
    const { code, stderr } = await world.run(['set', 'https://mcp.example.com/mcp', ...argv])
    expect(code).toBe(2)
    expect(stderr).toContain(text)
    expect(stderr).not.toContain('canary')
    expect(await world.records()).toEqual([])
  })
})

describe('list', () => {
  test('shows a login in words and as JSON, without a secret', async () => {
    const servers = await testServers()
    await loggedIn(servers)
    const { stdout, stderr } = await world.run(['list'])
    expect(stdout).toMatch(/^SERVER +ACCOUNT +KIND +SCOPES +EXPIRES +RENEWABLE$/m)
    expect(stdout).toMatch(/127\.0\.0\.1:\d+\/mcp +default +login +mcp +in 59 minutes +yes$/m)
    expect(stderr).toContain('Encrypted files in')
    const json = JSON.parse((await world.run(['list', '--json'])).stdout) as {
      store: { kind: string }
      credentials: Record<string, unknown>[]
    }
    expect(json.store.kind).toBe('file')
    expect(Object.keys(json.credentials[0] ?? {})).not.toContain('url')
    expect(JSON.stringify(json)).not.toMatch(/access-|refresh-/)
    await servers.close()
  })

  test('says how to begin when nothing is stored', async () => {
    const { code, stdout, stderr } = await world.run(['list'])
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toContain('npx mcp-credentials login URL')
  })
})

describe('logout', () => {
  test('ends the login at its server and forgets it', async () => {
    const servers = await testServers()
    await loggedIn(servers)
    const { code, stdout } = await world.run(['logout', servers.resource.href])
    expect(code).toBe(0)
    expect(stdout).toContain('The server has revoked it.')
    expect(servers.authorizationServer.requests.at(-1)?.url.pathname).toBe('/revoke')
    expect((await world.run(['status', servers.resource.href])).code).toBe(3)
    await servers.close()
  })

  test('deletes everything, and names a server that is not there', async () => {
    for (const host of ['one', 'two']) {
      const url = `https://${host}.example.com/mcp`
      await world.run(['set', url, '--bearer'], { input: 'canary' })
    }
    const nothing = await world.run(['logout', 'https://three.example.com/mcp'])
    expect([nothing.code, nothing.stdout]).toEqual([0, ''])
    expect(nothing.stderr).toContain('Nothing is stored')
    expect((await world.run(['logout'])).code).toBe(2)
    const unasked = await world.run(['logout', '--all'])
    expect([unasked.code, unasked.stdout]).toEqual([2, ''])
    expect(unasked.stderr).toContain(
      'This deletes 2 credentials, and there is no terminal for a confirmation',
    )
    expect(unasked.stderr).toContain('add --yes')
    expect(await world.records()).toHaveLength(2)
    const { stdout } = await world.run(['logout', '--all', '--yes'])
    expect(stdout.match(/Deleted the bearer token/g)).toHaveLength(2)
    expect(await world.records()).toEqual([])
  })

  test('deletes with everything the registrations, which can hold secrets, and the trust in config files', async () => {
    const servers = await testServers()
    const file = join(world.folder, '.mcp.json')
    await writeFile(file, JSON.stringify({ mcpServers: { crm: { command: 'node' } } }))
    await world.run(['trust', file, '--yes'])
    await loggedIn(servers)
    const store = defaultStore()
    const kinds = (await store.list()).map((key) => key.split(' ')[0])
    expect(kinds.sort()).toEqual([servers.resource.href, 'registration', 'trusted'])
    const { code, stdout } = await world.run(['logout', '--all', '--yes'])
    expect([code, stdout]).toEqual([0, expect.stringContaining('trust in config files')])
    expect(await store.list()).toEqual([])
    await servers.close()
  })
})

describe('token and headers', () => {
  test('go to a pipe, and to a terminal only when that is asked for', async () => {
    const url = 'https://mcp.example.com/mcp'
    await world.run(['set', url, '--bearer'], { input: 'canary-token' })
    for (const command of ['token', 'headers']) {
      const refused = await world.run([command, url], { isTerminal: true })
      expect([refused.code, refused.stdout]).toEqual([2, ''])
      expect(refused.stderr).toContain('--reveal')
      const revealed = await world.run([command, url, '--reveal'], { isTerminal: true })
      expect(revealed.stdout).toContain('canary-token')
    }
    expect((await world.run(['token', url])).stdout).toBe('canary-token\n')
    expect(JSON.parse((await world.run(['headers', url])).stdout)).toEqual({
      authorization: 'Bearer canary-token',
    })
  })

  test('renew a login that has expired first', async () => {
    const servers = await testServers({ tokenLifetime: 60 })
    await loggedIn(servers)
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
    const { stdout } = await world.run(['headers', servers.resource.href])
    const { authorization } = JSON.parse(stdout) as { authorization: string }
    expect(authorization).toMatch(/^Bearer access-/)
    expect(servers.authorizationServer.tokenRequests().at(-1)?.['grant_type']).toBe('refresh_token')
    await servers.close()
  })

  test('say what to type when there is none, or it is something else', async () => {
    const url = 'https://mcp.example.com/mcp'
    const nobody = await world.run(['token', url])
    expect(nobody.code).toBe(3)
    expect(nobody.stderr).toBe(
      `error Nothing is stored for ${url}. Log in: \`npx mcp-credentials login ${url}\`. Store a key: \`npx mcp-credentials set ${url} --header X-API-Key\`. If you do not know which: \`npx mcp-credentials doctor ${url}\`.\n`,
    )
    await world.run(['set', url, '--header', 'X-API-Key'], { input: 'canary' })
    const key = await world.run(['token', url])
    expect(key.code).toBe(2)
    expect(key.stderr).toContain(`npx mcp-credentials headers ${url}`)
    expect(key.stderr).not.toContain('canary')
    await world.run(['set', url, '--query', 'key'], { input: 'canary' })
    const query = await world.run(['headers', url])
    expect(query.code).toBe(2)
    expect(`${query.stdout}${query.stderr}`).not.toContain('canary')
  })
})

describe('status', () => {
  test('opens a session and counts the tools', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    await world.run(['set', server.url.href, '--header', 'X-API-Key'], { input: 'canary-key' })
    const { code, stdout } = await world.run(['status', server.url.href])
    expect(code).toBe(0)
    expect(stdout).toContain('works: test 1.0.0, protocol 2025-11-25, Streamable HTTP, one tool.')
    expect(stdout).toContain('Credential: a stored API key.')
    await server.close()
  })

  test('says what is wrong, with an exit code for each kind', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    const { href } = server.url
    expect((await world.run(['status', href])).code).toBe(3)
    await world.run(['set', href, '--header', 'X-API-Key'], { input: 'canary-other' })
    const refused = await world.run(['status', href])
    expect(refused.stderr).toContain('npx mcp-credentials set')
    expect(refused.stderr).toContain('--header X-API-Key`')
    expect(refused.stderr).toContain('use --bearer or --basic if the server expects the key there')
    expect(refused.stderr).not.toContain('savedLogin')
    expect(refused.code).toBe(4)
    server.refuse(3, 503)
    expect((await world.run(['status', href])).code).toBe(5)
    const path = new URL('/other', href).href
    await world.run(['set', path, '--bearer'], { input: 'canary-other' })
    const lost = await world.run(['status', path])
    expect([lost.code, lost.stderr]).toEqual([
      1,
      expect.stringContaining('search for the correct path'),
    ])
    await server.close()
    const gone = await world.run(['status', href])
    expect([gone.code, gone.stderr]).toEqual([5, expect.stringContaining('cannot be reached')])
    expect(`${refused.stderr}${lost.stderr}${gone.stderr}`).not.toMatch(/canary|\n +at /)
  })
})

describe('status of a server for which nothing is stored', () => {
  test('says that an open server works without a credential', async () => {
    const server = await testMcpServer()
    const { code, stdout, stderr } = await world.run(['status', server.url.href])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('works: test 1.0.0')
    expect(stdout).toContain('Credential: none. The server requires no credential.')
    await server.close()
  })

  test('says how to get a credential when the server asks for one', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    const { code, stderr } = await world.run(['status', server.url.href, '--account', 'work'])
    expect(code).toBe(3)
    expect(stderr).toContain(`Nothing is stored for ${server.url.href} (account work).`)
    expect(stderr).toContain(`npx mcp-credentials login ${server.url.href} --account work`)
    await server.close()
  })

  test('says that the server is down, or is no MCP server', async () => {
    const server = await testMcpServer()
    const lost = await world.run(['status', new URL('/other', server.url).href])
    expect([lost.code, lost.stderr]).toEqual([
      1,
      expect.stringContaining('search for the correct path'),
    ])
    await server.close()
    const gone = await world.run(['status', server.url.href])
    expect([gone.code, gone.stderr]).toEqual([5, expect.stringContaining('cannot be reached')])
  })
})

describe('status of a server with logins', () => {
  test('says that it wants a login when it refuses a key', async () => {
    const servers = await testServers()
    const { href } = servers.resource
    await world.run(['set', href, '--bearer'], { input: 'canary' })
    const { code, stderr } = await world.run(['status', href])
    expect(code).toBe(4)
    expect(stderr).toContain(`refuses the bearer token stored for ${href} on `)
    expect(stderr).toContain(
      `. This server requires a login: \`npx mcp-credentials login ${href}\`.`,
    )
    expect(stderr).not.toContain('npx mcp-credentials set')
    await servers.close()
  })

  test.each(['status', 'token', 'headers'])(
    'names the command when the login has ended, as %s does',
    async (command) => {
      const servers = await testServers({ tokenLifetime: 60 })
      const { href } = servers.resource
      await loggedIn(servers)
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 })
      servers.authorizationServer.refuse(3)
      const { code, stderr } = await world.run([command, href])
      expect(code).toBe(3)
      expect(stderr).toContain(`Run \`npx mcp-credentials login ${href}\`.`)
      expect(stderr).not.toMatch(/beginLogin|the provider that/)
      await servers.close()
    },
  )
})

describe('--verbose', () => {
  test('shows the conversation without the values of headers', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    await world.run(['set', server.url.href, '--header', 'X-API-Key'], { input: 'canary-key' })
    const { stderr } = await world.run(['status', `${server.url.href}`, '--verbose'])
    expect(stderr).toMatch(/> POST http\S+\/mcp \(.*x-api-key.*\)/)
    expect(stderr).toMatch(/< 200 after \d+ ms \(.*content-type.*\)/)
    expect(stderr).not.toContain('canary')
    await server.close()
  })

  test('shows it for each message that the proxy relays', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    await world.run(['set', server.url.href, '--header', 'X-API-Key'], { input: 'canary-key' })
    const input = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}\n'
    const { stderr } = await world.run(['proxy', server.url.href, '--verbose'], { input })
    expect(stderr).toMatch(/^mcp-credentials: > POST http\S+\/mcp \(.*x-api-key.*\)$/m)
    expect(stderr).toMatch(/^mcp-credentials: < \d+ after \d+ ms \(.*content-type.*\)$/m)
    expect(stderr).not.toContain('canary')
    await server.close()
  })
})
