import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testMcpServer, testServers } from '../../src/testing/index.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'
import { cliWorld, type Running } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
let servers: Awaited<ReturnType<typeof testServers>>
beforeEach(async () => {
  world = await cliWorld()
  servers = await testServers()
})
afterEach(async () => {
  await servers.close()
  await world.close()
})

/** The address that a command has printed. */
async function printedUrl(running: Running): Promise<URL> {
  const [text] = await running.stderrMatch(/http\S+\/authorize\?\S+/)
  return new URL(text)
}

/** Where a browser ends that cannot reach the listener. */
async function callbackOf(url: URL): Promise<string> {
  const response = await fetch(url, { redirect: 'manual' })
  return response.headers.get('location') ?? ''
}

const tokens = /access-[0-9a-f-]{36}|refresh-[0-9a-f-]{36}/

describe('login', () => {
  test('stores the login when the browser comes back, and says it in one line', async () => {
    const { resource, authorizationServer } = servers
    const running = world.start(['login', resource.href, '--no-browser'])
    await authorizationServer.visit(await printedUrl(running))
    const { code, stdout, stderr } = await running.finished
    expect(code).toBe(0)
    expect(stdout.trim().split('\n')).toHaveLength(1)
    expect(stdout).toMatch(
      /^Logged in to http:\/\/127\.0\.0\.1:\d+\/mcp \(account default\), at http\S+, with the scopes mcp, until .*\(in 59 minutes\), and renewed automatically with a refresh token\.$/m,
    )
    expect(`${stdout}${stderr}`).not.toMatch(tokens)
    expect(await world.records()).not.toEqual([])
    expect(await world.written()).not.toMatch(tokens)
    expect((await world.run(['status', resource.href])).code).toBe(0)
  })

  test('takes the address that is pasted, and tells what is none', async () => {
    const running = world.start(['login', servers.resource.href, '--no-browser'])
    const url = await printedUrl(running)
    await running.stderrMatch(/Paste the URL of that page here:/)
    running.stdin.write('https://example.com/somewhere-else\n')
    await running.stderrMatch(/That is not the URL after the login/)
    running.stdin.write(`${await callbackOf(url)}\n`)
    const { code, stdout } = await running.finished
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Logged in/)
  })

  test('waits for the browser when nothing can be pasted', async () => {
    const running = world.start(['login', servers.resource.href, '--no-browser'], { input: '' })
    const url = await printedUrl(running)
    await running.stderrMatch(/Use a browser on this machine/)
    await servers.authorizationServer.visit(url)
    const { code, stderr } = await running.finished
    expect(code).toBe(0)
    expect(stderr).not.toContain('Paste the address')
    expect(stderr).toContain('Open this URL in a browser, and log in within 4 minutes:')
  })

  test('leaves nothing behind when it is interrupted', async () => {
    const running = world.start(['login', servers.resource.href, '--no-browser'])
    const url = await printedUrl(running)
    running.interrupt()
    const { code, stdout } = await running.finished
    expect(code).toBe(130)
    expect(stdout).toBe('')
    expect(await world.records()).toEqual([])
    await expect(fetch(await callbackOf(url))).rejects.toThrow()
  })

  test('keeps the earlier login until a new one has succeeded', async () => {
    const { resource, authorizationServer } = servers
    const first = world.start(['login', resource.href, '--no-browser'])
    await authorizationServer.visit(await printedUrl(first))
    await first.finished
    const token = (await world.run(['token', resource.href])).stdout
    const second = world.start(['login', resource.href, '--no-browser'])
    await printedUrl(second)
    second.interrupt()
    await second.finished
    expect((await world.run(['token', resource.href])).stdout).toBe(token)
    const third = world.start(['login', resource.href, '--no-browser'])
    await authorizationServer.visit(await printedUrl(third))
    await third.finished
    const renewed = await world.run(['token', resource.href])
    expect(renewed.stdout).toMatch(/^access-/)
    expect(renewed.stdout).not.toBe(token)
  })

  test('asks for the scopes and uses the port that it is told', async () => {
    const argv = ['login', servers.resource.href, '--no-browser', '--scope', 'read write']
    const running = world.start([...argv, '--client-id', 'my-app'])
    const url = await printedUrl(running)
    expect(url.searchParams.get('scope')).toBe('read write')
    expect(url.searchParams.get('client_id')).toBe('my-app')
    await servers.authorizationServer.visit(url)
    expect((await running.finished).stdout).toContain('with the scopes read write')
  })

  test('keeps two accounts apart', async () => {
    const { resource, authorizationServer } = servers
    for (const account of ['work', 'home']) {
      const running = world.start(['login', resource.href, '--no-browser', '--account', account])
      await authorizationServer.visit(await printedUrl(running))
      expect((await running.finished).stdout).toContain(`(account ${account})`)
    }
    const { stdout } = await world.run(['list', '--json'])
    const { credentials } = JSON.parse(stdout) as { credentials: { account: string }[] }
    expect(credentials.map(({ account }) => account)).toEqual(['home', 'work'])
  })

  test('keeps the secret of a client for renewals, which is asked for', async () => {
    const { resource, authorizationServer } = servers
    const options = ['--client-id', 'my-app', '--client-secret']
    const pinned = ['--issuer', authorizationServer.issuer, '--no-browser']
    const running = world.start(['login', resource.href, ...options, ...pinned], {
      input: 'canary-client-secret\n',
    })
    await authorizationServer.visit(await printedUrl(running))
    const { code, stdout, stderr } = await running.finished
    expect(code).toBe(0)
    expect(`${stdout}${stderr}`).not.toContain('canary')
    servers.mcp.expireTokens()
    expect((await world.run(['status', resource.href])).code).toBe(0)
    const renewal = authorizationServer.requests.at(-1)
    expect(renewal?.url.pathname).toBe('/token')
    expect(renewal?.headers.get('authorization')).toMatch(/^Basic /)
  })

  test('sends a secret to no server that nobody has named', async () => {
    const options = ['--client-id', 'my-app', '--client-secret', '--no-browser']
    const { code, stderr } = await world.run(['login', servers.resource.href, ...options], {
      input: 'canary-client-secret\n',
    })
    expect(code).toBe(2)
    expect(stderr).toContain(`Add \`--issuer ${servers.authorizationServer.issuer}\``)
  })

  test('says what a server wants that offers no login', async () => {
    const server = await testMcpServer({ bearer: 'canary-token' })
    const { code, stderr } = await world.run(['login', server.url.href])
    await server.close()
    expect(code).toBe(1)
    expect(stderr).toContain(`npx mcp-credentials set ${server.url.href} --bearer\``)
    expect(stderr).toContain(
      'use --header X-API-Key or --basic if the server expects the key there',
    )
    expect(stderr).not.toContain('    at ')
  })

  test.each(['{"json":true}', '<html></html>'])(
    'sends the user to doctor when the address answers %s as a web page',
    async (body) => {
      const pages = createServer((request, response) => {
        response.setHeader('Content-Type', 'text/html')
        response.statusCode = request.url === '/mcp' || body.startsWith('<') ? 200 : 404
        response.end(body)
      }).listen(0, '127.0.0.1')
      await once(pages, 'listening')
      const url = `http://127.0.0.1:${(pages.address() as AddressInfo).port}/mcp`
      const { code, stderr } = await world.run(['login', url])
      pages.close()
      expect(code).toBe(1)
      expect(stderr).toContain(`Run \`npx mcp-credentials doctor ${url}\``)
    },
  )

  test('names no option of the library for a server without https', async () => {
    const url = 'http://mcp.example.com/mcp'
    await world.run(['set', url, '--bearer'], { input: 'canary' })
    for (const command of ['login', 'status', 'token']) {
      const { code, stderr } = await world.run([command, url])
      expect(code).not.toBe(0)
      expect(stderr).toContain('Use its https:// URL')
      expect(stderr).not.toMatch(/allowInsecure|operator/)
    }
  })

  test('says that an open server needs no login', async () => {
    const server = await testMcpServer()
    const { code, stdout } = await world.run(['login', server.url.href])
    await server.close()
    expect(code).toBe(0)
    expect(stdout).toContain('requires no login')
  })

  test('says which address cannot be reached', async () => {
    const server = await testMcpServer()
    await server.close()
    const { code, stderr } = await world.run(['login', server.url.href])
    expect(code).toBe(5)
    expect(stderr).toContain('ECONNREFUSED')
  })

  test.each([
    ['an address without its scheme', ['mcp.example.com/mcp'], 'Use `https://mcp.example.com/mcp`'],
    [
      'a way that does not exist',
      ['http://127.0.0.1:1/mcp', '--grant', 'magic'],
      '--grant must be one of',
    ],
    ['a device without a client', ['http://127.0.0.1:1/mcp', '--device', '--no-browser'], 'device'],
    [
      'two ways at once',
      ['http://127.0.0.1:1/mcp', '--device', '--grant', 'client-credentials'],
      '--device conflicts with',
    ],
    ['a port that is none', ['http://127.0.0.1:1/mcp', '--port', 'x'], '--port must be a number'],
    ['a secret without its client', ['http://127.0.0.1:1/mcp', '--client-secret'], '--client-id'],
    ['an unknown option', ['http://127.0.0.1:1/mcp', '--clientid', 'x'], '--client-id'],
    ['a password in the address', ['http://a:canary@127.0.0.1/mcp'], '--basic USER'],
  ])('refuses %s with the exit code 2', async (_what, argv, text) => {
    const { code, stderr } = await world.run(['login', ...argv])
    expect(stderr).toContain(text)
    expect(stderr).not.toContain('canary')
    expect(code).toBe(2)
  })
})

describe('login on another device', () => {
  /** Servers that offer it, and grant it at once unless they are told to refuse. */
  function deviceWorld(refusal?: string) {
    return oauthWorld({
      metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
      token(params, count) {
        if (params.has('device_code')) {
          if (refusal !== undefined) return { status: 400, body: { error: refusal } }
          return { body: tokenAnswer(count, { refresh_token: 'canary-refresh' }) }
        }
        const body = {
          device_code: 'canary-device',
          user_code: 'WDJB-MJHT',
          verification_uri: 'http://127.0.0.1/activate',
          expires_in: 600,
          interval: 0.01,
        }
        return { body }
      },
    })
  }

  test('is chosen where there is no display, and shows a QR code', async () => {
    const { url } = await deviceWorld()
    const running = world.start(['login', url, '--client-id', 'tv'], { seesErrors: true })
    const { code, stdout, stderr } = await running.finished
    expect(code).toBe(0)
    expect(stderr).toMatch(/http:\/\/127\.0\.0\.1\/activate on any device/)
    expect(stderr).toContain('WDJB-MJHT')
    expect(stderr).toContain('The code is valid for 10 minutes.')
    expect(stderr).toMatch(/[▀▄█]{8}/)
    expect(`${stdout}${stderr}`).not.toContain('canary')
    expect(stdout).toContain('renewed automatically')
  })

  test('is not chosen where there is a display, nor without a client', async () => {
    const { url } = await deviceWorld()
    const plain = world.start(['login', url])
    await printedUrl(plain)
    plain.interrupt()
    expect((await plain.finished).code).toBe(130)
    const chosen = world.start(['login', url, '--client-id', 'tv', '--grant', 'authorization-code'])
    await printedUrl(chosen)
    chosen.interrupt()
    expect((await chosen.finished).code).toBe(130)
  })

  test('says what to type when the person declines', async () => {
    const { url } = await deviceWorld('access_denied')
    const { code, stderr } = await world.run(['login', url, '--device', '--client-id', 'tv'])
    expect([3, 4]).toContain(code)
    expect(stderr).toMatch(/error .*declined|refused|denied/i)
    expect(stderr).not.toMatch(/login\(\)|deviceCode\(\)|\n +at /)
    expect(await world.records()).toEqual([])
  })

  test('says that a server has none', async () => {
    const argv = ['login', servers.resource.href, '--device', '--client-id', 'tv']
    const { code, stderr } = await world.run(argv)
    expect(code).toBe(1)
    expect(stderr).toContain('--grant authorization-code')
  })
})

describe('login as a client, without a person', () => {
  const secret = 'canary-client-secret'

  /** Servers that issue tokens to one client, for an hour or for no time. */
  function clientWorld(expires_in = 3600) {
    return oauthWorld({
      metadata: () => ({ registration_endpoint: undefined }),
      token(params, count, { headers }) {
        const given = headers.authorization ?? ''
        const isRight =
          given === `Basic ${btoa(`agent:${secret}`)}` || params.get('client_secret') === secret
        if (!isRight) return { status: 401, body: { error: 'invalid_client' } }
        return { body: tokenAnswer(count, { expires_in, scope: 'read' }) }
      },
    })
  }

  const grant = ['--grant', 'client-credentials', '--client-id', 'agent']

  test('proves the secret with one request, and renews with it', async () => {
    const { url, issuer, tokenRequests } = await clientWorld(0)
    const argv = ['login', url, ...grant, '--issuer', issuer, '--scope', 'read']
    const { code, stdout, stderr } = await world.run(argv, { input: `${secret}\n` })
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('canary')])
    expect(stdout).toMatch(
      /^Logged in to \S+ \(account default\), at \S+, with the scopes read, .* renewed automatically with the secret of the client agent\.$/m,
    )
    expect(tokenRequests()).toMatchObject([{ grant_type: 'client_credentials', scope: 'read' }])
    expect(await world.written()).not.toContain('canary')
    expect((await world.run(['list'])).stdout).toMatch(/default +client credentials +read +.* yes/)
    expect((await world.run(['token', url])).stdout).toBe('access-2\n')
    const ended = await world.run(['logout', url])
    expect(ended.stdout).toContain(`Deleted the client credentials for ${url}`)
    expect((await world.run(['token', url])).code).toBe(3)
  })

  test('stores nothing when the server refuses the client', async () => {
    const { url, issuer } = await clientWorld()
    const argv = ['login', url, ...grant, '--issuer', issuer]
    const { code, stdout, stderr } = await world.run(argv, { input: 'canary-wrong' })
    expect([code, stdout]).toEqual([4, ''])
    expect(stderr).toContain(`npx mcp-credentials login ${url} --grant client-credentials`)
    expect(stderr).not.toMatch(/canary|clientCredentials|clientSecret|\n +at /)
    expect(await world.records()).toEqual([])
  })

  test('sends the secret to no server that nobody has named', async () => {
    const { url, issuer, tokenRequests } = await clientWorld()
    const { code, stderr } = await world.run(['login', url, ...grant], { input: secret })
    expect([code, stderr]).toEqual([2, expect.stringContaining(`Add \`--issuer ${issuer}\``)])
    expect(tokenRequests()).toEqual([])
  })

  test('needs the name of the client where nobody can be asked', async () => {
    const { url, issuer } = await clientWorld()
    const argv = ['login', url, '--grant', 'client-credentials', '--issuer', issuer]
    const { code, stderr } = await world.run(argv, { input: secret })
    expect([code, stderr]).toEqual([2, expect.stringContaining('Add --client-id')])
  })
})

describe('login that cannot register a client', () => {
  test('names the option that helps', async () => {
    const { url } = await oauthWorld({ metadata: () => ({ registration_endpoint: undefined }) })
    const { code, stderr } = await world.run(['login', url, '--no-browser'])
    expect(code).toBe(1)
    expect(stderr).toContain(`npx mcp-credentials login ${url} --client-id ID`)
  })
})

describe('login --dpop', () => {
  const boundWorld = () =>
    oauthWorld({
      resource: () => ({ dpop_bound_access_tokens_required: true }),
      metadata: () => ({ dpop_signing_alg_values_supported: ['ES256'] }),
      token: (_params, count, { headers }) =>
        headers['dpop'] === undefined
          ? { status: 400, body: { error: 'invalid_dpop_proof' } }
          : { body: tokenAnswer(count, { token_type: 'DPoP' }) },
    })
  const logIn = async (...argv: readonly string[]) => {
    const running = world.start(['login', ...argv, '--no-browser'])
    await fetch(await printedUrl(running))
    return running.finished
  }

  test('stores tokens that are bound to a key, which the other commands use', async () => {
    const { url, mcpServer } = await boundWorld()
    expect((await logIn(url, '--dpop')).code).toBe(0)
    await world.run(['status', url])
    const { headers } = mcpServer.requests.at(-1) ?? {}
    expect(headers?.authorization).toBe('DPoP access-1')
    expect(headers?.['dpop']).toMatch(/^eyJ/)
  })

  test('is what to type where a server takes no other tokens', async () => {
    const { url } = await boundWorld()
    const { code, stderr } = await world.run(['login', url, '--no-browser'])
    expect(code).not.toBe(0)
    expect(stderr).toContain(`npx mcp-credentials login ${url} --dpop`)
    expect(stderr).not.toContain('dpop: true')
  })
})

describe('login --verbose', () => {
  test('shows the conversation without a code or a token', async () => {
    const running = world.start(['login', servers.resource.href, '--no-browser', '--verbose'])
    const url = await printedUrl(running)
    const callback = await callbackOf(url)
    running.stdin.write(`${callback}\n`)
    const { stderr } = await running.finished
    expect(stderr).toMatch(/> POST http\S+\/token \(/)
    const { searchParams } = new URL(callback)
    expect(stderr).not.toContain(searchParams.get('code'))
    expect(stderr).not.toMatch(tokens)
  })
})
