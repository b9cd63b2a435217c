import dns from 'node:dns/promises'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { expect, onTestFinished, test, vi } from 'vitest'
import { authorizedFetch, type CredentialEvent, headers, httpSignature } from '../../src/index.ts'
import { stdioEnvironment } from '../../src/mcp/index.ts'
import { authorizationCode, clientCredentials, refreshToken } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { applied } from '../support/acquire.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

test('row 2: a server that is started as a process receives its credential from the environment, and nothing is fetched', async () => {
  const spy = vi.spyOn(globalThis, 'fetch')
  onTestFinished(() => spy.mockRestore())
  expect(await stdioEnvironment({ MCP_TOKEN: 'secret' })).toMatchObject({ MCP_TOKEN: 'secret' })
  expect(spy).not.toHaveBeenCalled()
})

test('row 7: with one store for two servers, neither receives what the other issued', async () => {
  const store = memoryStore()
  const [one, two] = [
    await oauthWorld(),
    await oauthWorld({ token: () => ({ body: tokenAnswer(99) }) }),
  ]
  for (const world of [one, two, one, two]) {
    const send = authorizedFetch(authorizationCode(browser), { resource: world.url, store })
    expect((await send(world.url, { method: 'POST', body: '{}' })).status).toBe(200)
  }
  const seen = (world: typeof one) =>
    new Set(world.mcpServer.requests.map((request) => request.headers.authorization ?? 'none'))
  expect(seen(one)).toEqual(new Set(['none', 'Bearer access-1']))
  expect(seen(two)).toEqual(new Set(['none', 'Bearer access-99']))
})

test.each(['MCP-Protocol-Version', 'Mcp-Session-Id', 'mcp-method', 'Mcp-Param-X', 'Accept'])(
  'row 9: no provider may set %s',
  (name) => {
    expect(() => headers({ [name]: 'x' })).toThrow('belongs to the transport')
  },
)

test('row 39: a login keeps its issuer, verifier and state to itself, and each is used once', async () => {
  const world = await oauthWorld()
  const send = authorizedFetch(authorizationCode(browser), { resource: world.url })
  await send.manager.credential()
  await send.manager.logout()
  await send.manager.credential()
  const [first, second] = world.logins()
  expect(first?.['state']).not.toBe(second?.['state'])
  expect(first?.['code_challenge']).not.toBe(second?.['code_challenge'])
  const verifiers = world.tokenRequests().map((request) => request['code_verifier'])
  expect(new Set(verifiers).size).toBe(2)
})

test('row 68: the browser receives one argument without characters with a meaning in a shell, and opens the whole URL', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'browser-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  const script = join(folder, 'browser')
  const log = join(folder, 'log')
  // A browser that records its arguments, and completes the login.
  const code = `require('node:fs').writeFileSync('${log}', JSON.stringify(process.argv.slice(2))); fetch(process.argv[2])`
  await writeFile(script, `#!${process.execPath}\n${code}\n`)
  await chmod(script, 0o700)
  vi.stubEnv('BROWSER', script)
  onTestFinished(() => void vi.unstubAllEnvs())
  const world = await oauthWorld()
  const provider = authorizationCode({
    loginTimeout: 20,
    authorizationParameters: { login_hint: 'a&b $(touch x) `id` "q"' },
  })
  expect((await world.call(provider)).status).toBe(200)
  const args = JSON.parse(await readFile(log, 'utf8')) as string[]
  expect(args).toEqual([expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{43}$/)])
  expect(world.logins()[0]?.['login_hint']).toBe('a&b $(touch x) `id` "q"')
}, 30_000)

test.each([
  ['HTTPS://Mcp.Example.COM:443/mcp', 'https://mcp.example.com/mcp'],
  ['https://mcp.example.com', 'https://mcp.example.com'],
  ['https://mcp.example.com/', 'https://mcp.example.com'],
  ['https://mcp.example.com/mcp/', 'https://mcp.example.com/mcp/'],
  ['https://mcp.example.com:8443/a%2Fb/mcp', 'https://mcp.example.com:8443/a%2Fb/mcp'],
  ['https://mcp.example.com/mcp?tenant=7#top', 'https://mcp.example.com/mcp'],
  ['https://[2001:DB8::1]/mcp', 'https://[2001:db8::1]/mcp'],
])('rows 45, 46: %s is sent as %s to the authorization server', async (url, resource) => {
  const asked: unknown[] = []
  const issuer = 'https://auth.example.com'
  const metadata = { issuer, token_endpoint: `${issuer}/token` }
  const provider = clientCredentials({ clientId: 'a', clientSecret: 'secret', metadata })
  const { manager } = authorizedFetch(provider, {
    resource: url,
    async fetch(_input, init) {
      asked.push(new URLSearchParams(String(init?.body)).get('resource'))
      return Response.json({ access_token: 'token', token_type: 'Bearer' })
    },
  })
  vi.spyOn(dns, 'lookup').mockResolvedValue([] as never)
  onTestFinished(() => void vi.restoreAllMocks())
  await manager.credential()
  expect(asked).toEqual([resource])
})

test('advisory CVE-2026-32625: text of a server is never expanded with environment variables', async () => {
  process.env['CANARY'] = 'canary-of-the-environment'
  onTestFinished(() => void delete process.env['CANARY'])
  const scope = '$\x7bCANARY} $CANARY %CANARY% {{CANARY}}'
  const world = await oauthWorld({ challenge: () => `scope="${scope}"` })
  await world.call(authorizationCode(browser))
  expect(world.logins()[0]?.['scope']).toBe(scope)
  const seen = [...world.mcpServer.requests, ...world.authorizationServer.requests]
  expect(JSON.stringify(seen)).not.toContain('canary-of')
})

test('a browser that cannot be opened is reported immediately, not after the time limit of the login', async () => {
  vi.stubEnv('BROWSER', '/nowhere/no-such-browser')
  vi.stubEnv('DISPLAY', '')
  vi.stubEnv('WAYLAND_DISPLAY', '')
  onTestFinished(() => void vi.unstubAllEnvs())
  const world = await oauthWorld()
  await expect(world.call(authorizationCode())).rejects.toMatchObject({
    code: 'login_required',
    message: expect.stringMatching(/no browser could be opened.*`onAuthorizationUrl`/),
  })
}, 20_000)

test('row 71: a scope that was not granted is not requested again', async () => {
  const world = await oauthWorld({
    mcp: () => ({
      status: 403,
      headers: { 'www-authenticate': 'Bearer error="insufficient_scope", scope="admin"' },
    }),
  })
  const send = authorizedFetch(authorizationCode(browser), { resource: world.url })
  await send(world.url, { method: 'POST', body: '{}' })
  const asked = world.logins().length
  for (let call = 0; call < 3; call += 1) await send(world.url, { method: 'POST', body: '{}' })
  expect(world.logins()).toHaveLength(asked)
})

test('row 93: a thousand signatures contain a thousand nonces', async () => {
  const provider = httpSignature({
    algorithm: 'hmac-sha256',
    secret: 's'.repeat(32),
    keyId: 'k',
    nonce: true,
  })
  const inputs = await Promise.all(Array.from({ length: 1000 }, () => applied(provider)))
  const nonces = inputs.map(
    ({ request }) => /nonce="([^"]{16,})"/.exec(request.headers.get('Signature-Input') ?? '')?.[1],
  )
  expect(new Set(nonces).size).toBe(1000)
  expect(inputs[0]?.request.headers.get('Signature-Input')).not.toContain(';alg=')
})

test('logs: whatever happens in a login, a refresh or a refusal, no event, error or output shows a secret', async () => {
  const secrets = ['canary-secret', 'canary-refresh', 'canary-access', 'canary-next']
  const spellings = secrets.flatMap((secret) => [
    secret,
    encodeURIComponent(secret),
    Buffer.from(secret).toString('base64').replace(/=+$/, ''),
  ])
  const answers = [
    {
      body: {
        access_token: 'canary-access',
        token_type: 'Bearer',
        expires_in: 3600,
        refresh_token: 'canary-next',
      },
    },
    'echo' as const,
    { status: 200, body: '{"access_token":"canary-access' },
    { status: 500, body: 'canary-access' },
  ]
  for (const answer of answers) {
    // Some servers repeat parts of the request in their description.
    const token: Script['token'] = (params, _count, request) => {
      if (answer !== 'echo') return answer
      const secret = params.get('refresh_token') ?? 'canary-secret'
      const basic = request.headers.authorization ?? ''
      const spelt = [secret, Buffer.from(secret).toString('base64'), basic.slice('Basic '.length)]
      const error_description = `refused ${spelt.join(' ')}`
      return { status: 400, body: { error: 'invalid_request', error_description } }
    }
    const world = await oauthWorld({ token, mcp: () => ({ status: 401 }) })
    const shown: unknown[] = []
    const onEvent = (event: CredentialEvent) => void shown.push(event)
    for (const provider of [
      clientCredentials({ clientId: 'a', clientSecret: 'canary-secret', issuer: world.issuer }),
      refreshToken({ clientId: 'a', issuer: world.issuer, refreshToken: 'canary-refresh' }),
    ]) {
      const send = authorizedFetch(provider, { resource: world.url, onEvent })
      await send(world.url, { method: 'POST', body: '{}' }).catch((error: Error) => {
        shown.push(error, error.message, error.stack, error.cause)
      })
      shown.push(
        provider,
        send,
        send.manager,
        send.manager.current(),
        String(send.manager.current()),
      )
    }
    const text = `${inspect(shown, { depth: 10, showHidden: false })}${JSON.stringify(shown.filter((item) => typeof item !== 'function'))}`
    for (const spelling of spellings) expect(text).not.toContain(spelling)
  }
})
