import { describe, expect, it, onTestFinished } from 'vitest'
import { saveKey } from '../../src/auto/index.ts'
import { memoryStore, testMcpServer, testServers } from '../../src/testing/index.ts'
import { oauthWorld, type Script } from '../support/oauth-world.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { doctor, linesOf, report, welcome } from './doctor-support.ts'

const challenge = ({ mcp }: { readonly mcp: string }) =>
  `resource_metadata="${mcp}/.well-known/oauth-protected-resource/mcp"`
const world = (script: Script = {}) => oauthWorld({ challenge, ...script })

async function page(status: number, headers: Record<string, string>, body: string) {
  return recordingOrigin((_request, response) => response.writeHead(status, headers).end(body))
}

describe('doctor', () => {
  it('recommends a login for a server with an authorization server', async () => {
    const servers = await testServers()
    onTestFinished(servers.close)

    const seen = await report(servers.resource)

    expect(seen).toMatchObject({ version: 1, outcome: 'ok', code: 0, url: servers.resource.href })
    expect(linesOf(seen, 'challenge')).toEqual([
      'ok: The server responds with 401 and these challenges: bearer. The challenge names its metadata.',
    ])
    expect(linesOf(seen, 'safeguards')).toEqual([
      'ok: No safeguard of this library stops a login: the browser would open now.',
    ])
    expect(seen.recommendation).toMatchObject({
      provider: 'authorizationCode',
      command: `npx mcp-credentials login ${servers.resource.href}`,
    })
  })

  it('asks for nothing but documents: no registration, no authorization, no token', async () => {
    const servers = await testServers()
    onTestFinished(servers.close)

    await report(servers.resource)

    const paths = servers.authorizationServer.requests.map(({ url }) => url.pathname)
    expect(new Set(paths)).toEqual(new Set(['/.well-known/oauth-authorization-server']))
    const { requests } = servers.mcp
    expect(requests.filter(({ headers }) => headers.has('authorization'))).toEqual([])
  })

  it('asks for each document once, however many steps need it', async () => {
    const { url, mcpPaths, paths } = await world()

    await report(url)

    const all = [...mcpPaths(), ...paths()].filter((path) => path.includes('/.well-known/'))
    expect(all.length).toBeGreaterThan(1)
    expect(new Set(all).size).toBe(all.length)
  })

  it('recommends nothing for a server that asks for nothing', async () => {
    const server = await testMcpServer()
    onTestFinished(server.close)

    const seen = await report(server.url)

    expect(seen).toMatchObject({ outcome: 'ok', code: 0 })
    expect(linesOf(seen, 'challenge')).toEqual(['ok: The server requires no credential.'])
    expect(seen.recommendation).toMatchObject({ provider: 'none' })
    expect(seen.recommendation?.code.fetch).toBeUndefined()
  })

  it('ends the session that it has begun', async () => {
    const { origin, requests } = await recordingOrigin(({ method, body }, response) => {
      const isFirst = method === 'POST' && body.includes('"initialize"')
      const headers = isFirst ? { ...welcome.headers, 'mcp-session-id': 'session-1' } : {}
      response.writeHead(isFirst ? 200 : 202, headers).end(isFirst ? welcome.body : '')
    })

    await report(`${origin}/mcp`)

    const ends = requests.filter(({ method }) => method === 'DELETE')
    expect(ends.map(({ headers }) => headers['mcp-session-id'])).toEqual(['session-1'])
  })

  it.each([
    ['Basic', { 'www-authenticate': 'Basic realm="notes"' }, '', 'basic', '--basic'],
    ['a bearer token', { 'www-authenticate': 'Bearer' }, '', 'bearer', '--bearer'],
    [
      'a header that it names',
      {},
      '{"error":"Send X-Auth-Token"}',
      'apiKey',
      '--header X-Auth-Token',
    ],
    ['something that it does not name', {}, '', 'apiKey', '--header X-API-Key'],
  ])(
    'recommends a key where the server wants %s',
    async (_name, headers, body, provider, flags) => {
      const { origin } = await recordingOrigin((request, response) =>
        response.writeHead(request.url === '/mcp' ? 401 : 404, headers).end(body),
      )

      const { recommendation } = await report(`${origin}/mcp`)

      const command = `npx mcp-credentials set ${origin}/mcp ${flags}`
      expect(recommendation).toMatchObject({ provider, command })
      const isGuess = provider === 'bearer' || (body === '' && provider === 'apiKey')
      expect(/If .* elsewhere, use --/.test(recommendation?.reason ?? '')).toBe(isGuess)
    },
  )

  it('recommends a signature for AWS, and a service token for Cloudflare Access', async () => {
    const aws = await page(403, { 'x-amzn-errortype': 'MissingAuthenticationTokenException' }, '{}')
    const location = 'https://team.cloudflareaccess.com/cdn-cgi/access/login?kid=s3cret'
    const access = await page(302, { location }, '')

    const signed = await report(`${aws.origin}/mcp`)
    const behindAccess = await report(`${access.origin}/mcp`)

    expect(signed.recommendation).toMatchObject({ provider: 'awsSigV4' })
    expect(behindAccess.recommendation).toMatchObject({ provider: 'headers' })
    expect(JSON.stringify(behindAccess)).not.toContain('s3cret')
  })

  it('says which path answers when the one that was typed does not', async () => {
    const server = await testMcpServer()
    onTestFinished(server.close)

    const seen = await report(new URL('/api', server.url))

    expect(seen).toMatchObject({ outcome: 'problem', code: 1 })
    expect(linesOf(seen, 'transport')).toEqual([
      `problem: There is no MCP server at this path (status 404), but probably at ${server.url.href}.`,
    ])
  })

  it('recognizes the older transport', async () => {
    const { origin } = await recordingOrigin(({ method }, response) => {
      if (method !== 'GET') return response.writeHead(405).end()
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      return response.write('event: endpoint\ndata: /messages\n\n')
    })

    const seen = await report(`${origin}/sse`)

    expect(linesOf(seen, 'transport')[0]).toContain('note: The server supports HTTP+SSE')
    expect(seen.recommendation?.code.sdkV2).toContain('new SSEClientTransport(url)')
    expect(seen.recommendation?.mcpJson).toMatchObject({ mcpServers: { server: { type: 'sse' } } })
  })

  it('recognizes a web page', async () => {
    const html = '<!doctype html><title>Sign in</title><form>Log in</form>'
    const { origin } = await page(200, { 'content-type': 'text/html' }, html)

    const seen = await report(`${origin}/mcp`)

    expect(seen).toMatchObject({ outcome: 'problem', code: 1 })
    expect(linesOf(seen, 'transport')[0]).toContain('a login page, "Sign in"')
    expect(seen.recommendation).toBeUndefined()
  })

  it('asks for another port where fetch refuses the one of the URL', async () => {
    const { findings } = await report('http://127.0.0.1:1/mcp')
    expect(findings.find(({ verdict }) => verdict === 'problem')?.remedy).toBe(
      'Correct the port in the URL, or configure another port for the server.',
    )
  })

  it('says that a server is down', async () => {
    const { origin, close } = await recordingOrigin()
    await close()

    const seen = await report(`${origin}/mcp`)

    expect(seen).toMatchObject({ outcome: 'unreachable', code: 5 })
    expect(linesOf(seen, 'reachable')).toEqual([
      'problem: Nothing listens at that address and port.',
    ])
  })

  it('meets the safeguard against endpoints of another server, and says how to vouch for them', async () => {
    const foreign = 'https://tokens.example.net/token'
    const { url, issuer } = await world({ metadata: () => ({ token_endpoint: foreign }) })

    const seen = await report(url)

    expect(seen.code).toBe(1)
    const [line] = linesOf(seen, 'safeguards')
    expect(line).toContain('it is not known that they belong together')
    expect(seen.recommendation?.code.sdkV2).toContain(`issuer: '${issuer}'`)
    expect(seen.recommendation?.command).toContain(`--issuer ${issuer}`)
  })

  it('meets the safeguard against private addresses, and says how to look further', async () => {
    const issuer = 'https://10.255.255.1'
    const { url } = await world({ resource: () => ({ authorization_servers: [issuer] }) })

    const seen = await report(url)

    expect(seen.code).toBe(1)
    const [line] = linesOf(seen, 'server-metadata')
    expect(line).toMatch(/^problem: .*private network/)
    expect(JSON.stringify(seen.findings)).toContain('add --allow-private-network')
  })

  it.each([
    ['that the challenge names', {}],
    ['at the well-known place', { challenge: () => '' }],
  ])('meets the safeguard against metadata of another resource, %s', async (_name, script) => {
    const { url } = await world({
      ...script,
      resource: () => ({ resource: 'https://other.example.com/' }),
    })

    const seen = await report(url)

    const [line] = linesOf(seen, 'metadata')
    expect(line).toContain('publishes metadata for another resource, "https://other.example.com/"')
    expect(seen).toMatchObject({ outcome: 'problem', code: 1 })
    expect(seen.recommendation).toBeUndefined()
  })

  it('names a server without PKCE, and recommends no login with a browser there', async () => {
    const methods = { code_challenge_methods_supported: undefined }
    const { url } = await world({ metadata: () => methods })

    const seen = await report(url)

    expect(linesOf(seen, 'pkce')[0]).toMatch(/^problem:/)
    expect(seen.recommendation).toBeUndefined()
  })

  it('recommends bound tokens where only the challenge demands them', async () => {
    const { url } = await world({
      metadata: () => ({ dpop_signing_alg_values_supported: ['ES256'] }),
      bare: (_request, bases) => ({
        status: 401,
        headers: { 'www-authenticate': `DPoP ${challenge(bases)}` },
      }),
    })

    const seen = await report(url)

    expect(linesOf(seen, 'safeguards')[0]).toMatch(/^ok: /)
    expect(seen.recommendation?.command).toBe(`npx mcp-credentials login ${url} --dpop`)
    expect(seen.recommendation?.code.sdkV2).toContain('dpop: true')
  })

  it('examines several authorization servers, and recommends the first that works', async () => {
    const second = await testServers()
    onTestFinished(second.close)
    const { issuer } = second.authorizationServer
    const { url, issuer: first } = await world({
      resource: (bases) => ({ authorization_servers: [bases.issuer, issuer] }),
      metadata: () => ({ code_challenge_methods_supported: undefined }),
    })

    const { findings, recommendation } = await report(url)

    expect(new Set(findings.flatMap((finding) => finding.issuer ?? []))).toEqual(
      new Set([first, issuer]),
    )
    expect(recommendation?.code.sdkV2).toContain(`issuer: '${issuer}'`)
  })

  it.each([
    ['deviceCode', { device_authorization_endpoint: 'device' }, ['refresh_token']],
    ['clientCredentials', {}, ['client_credentials']],
    ['workloadIdentity', {}, ['urn:ietf:params:oauth:grant-type:jwt-bearer']],
  ])('recommends %s where that is the grant which is left', async (provider, endpoints, grants) => {
    const { url } = await world({
      metadata: ({ issuer }) => ({
        grant_types_supported: grants,
        authorization_endpoint: undefined,
        ...Object.fromEntries(
          Object.entries(endpoints).map(([name, path]) => [name, `${issuer}/${path}`]),
        ),
      }),
    })

    const { recommendation } = await report(url)

    expect(recommendation).toMatchObject({ provider })
  })

  it('meets the safeguard against http to another machine', async () => {
    const { url } = await world()

    const seen = await report(url.replace('127.0.0.1', '0.0.0.0'))

    expect(seen).toMatchObject({ outcome: 'problem', code: 1 })
    expect(linesOf(seen, 'url')[0]).toContain('problem: The URL starts with http://')
    const { remedy } = seen.findings.find(({ id }) => id === 'url') ?? {}
    expect(remedy).toContain('Use https://')
    expect(remedy).toContain('`allowInsecure: true`')
    expect(remedy).toContain('withCredentials()')
    expect(linesOf(seen, 'metadata')[0]).toContain('is neither https nor on this machine')
  })

  it('says that a port does not speak TLS', async () => {
    const { origin } = await recordingOrigin()

    const seen = await report(`${origin.replace('http:', 'https:')}/mcp`)

    expect(seen.code).toBe(5)
    expect(linesOf(seen, 'reachable')).toEqual([
      'problem: The server does not support TLS on this port.',
    ])
  })

  it('assumes the older transport where only the path tells', async () => {
    const { origin } = await page(401, { 'www-authenticate': 'Bearer' }, '')

    const { recommendation } = await report(`${origin}/sse`)

    expect(recommendation?.code.sdkV2).toContain('new SSEClientTransport(url, options)')
  })

  it('names the proxy of the environment that was not used', async () => {
    const { origin, close } = await recordingOrigin()
    await close()

    const { out } = await doctor(`${origin}/mcp`, { env: { HTTPS_PROXY: 'http://me:pw@proxy' } })

    expect(out).toContain('NODE_USE_ENV_PROXY=1')
    expect(out).not.toContain('me:pw')
  })

  it('says what is stored, and never shows the secret', async () => {
    const server = await testMcpServer({ apiKey: 'k-3f9a7c' })
    onTestFinished(server.close)
    const store = memoryStore()
    const key = { type: 'apiKey', header: 'X-API-Key', value: 'k-3f9a7c' } as const
    await saveKey(store, { resource: server.url, key })

    await saveKey(store, { resource: server.url, account: 'work', key })

    const { out } = await doctor(server.url, { store })
    const { findings } = await report(server.url, { store })

    expect(out).toContain('Stored: An API key is stored.')
    expect(out).not.toContain('k-3f9a7c')
    const status = `npx mcp-credentials status ${server.url}`
    const stored = findings.filter(({ id }) => id === 'stored')
    expect(stored.map(({ remedy }) => remedy)).toEqual([
      `Not tested; to test it, run \`${status}\`.`,
      `Not tested; to test it, run \`${status} --account work\`.`,
    ])
  })

  it('shows neither the password, the query nor the token in the path of a URL', async () => {
    const path = 'Zx81kQ0pLmN4rT7vWy2sB5dF8gH1jK3c'
    const { origin } = await page(401, {}, '')
    const url = `${origin.replace('://', '://me:pass-w0rd@')}/${path}/mcp?key=q-s3cret`

    const text = await doctor(url, { verbose: true })
    const json = await doctor(url, { json: true })

    const all = [text.out, text.err, json.out, json.err].join('\n')
    for (const secret of [path, 'pass-w0rd', 'q-s3cret']) expect(all).not.toContain(secret)
    expect(text.out).toContain('Parts of the URL that may be secret are left out here')
  })

  it('shows the conversation on standard error when asked to', async () => {
    const server = await testMcpServer()
    onTestFinished(server.close)

    const { err } = await doctor(server.url, { verbose: true })

    expect(err).toContain(`> POST ${server.url.href}\n< 200 application/json after `)
  })

  it('lets no text of a server reach the terminal as it is', async () => {
    const hostile = '\u001b]0;owned\u0007\u001b[2J\u202ecod.exe\u200b'
    const body = JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      result: {
        protocolVersion: hostile,
        serverInfo: { name: hostile, version: hostile },
        capabilities: { extensions: { [hostile]: {} } },
      },
    })
    const open = await page(200, { 'content-type': 'application/json' }, body)
    const html = await page(200, { 'content-type': 'text/html' }, `<title>${hostile}</title>`)
    const published = await world({
      challenge: (bases) => `${challenge(bases)}, scope="a\u00a0b", error="x\\y"`,
      resource: () => ({ scopes_supported: [hostile, 'a'.repeat(5000)] }),
      metadata: () => ({
        grant_types_supported: ['authorization_code', hostile],
        token_endpoint_auth_methods_supported: [hostile],
        dpop_signing_alg_values_supported: [hostile],
      }),
    })

    for (const url of [`${open.origin}/mcp`, `${html.origin}/mcp`, published.url]) {
      const plain = await doctor(url, { verbose: true })
      const json = await doctor(url, { json: true })

      const all = plain.out + plain.err + json.out
      // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there.
      expect(all).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u200b]/)
      expect(Math.max(...plain.out.split('\n').map(({ length }) => length))).toBeLessThan(220)
    }
  })

  it('reads a bounded part of an endless answer', async () => {
    const { origin } = await recordingOrigin((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      const pour = () => {
        if (!response.destroyed && response.write('x'.repeat(65_536))) setImmediate(pour)
        else response.once('drain', pour)
      }
      pour()
    })

    const seen = await report(`${origin}/mcp`)

    expect(linesOf(seen, 'transport')[0]).toMatch(/^problem: /)
  })

  it('ends when it is interrupted', async () => {
    const { origin } = await recordingOrigin((request, response) => {
      request.hang()
      response.end()
    })
    const ending = new AbortController()

    const running = doctor(`${origin}/mcp`, { signal: ending.signal })
    setTimeout(() => ending.abort(new Error('interrupted')), 20)

    await expect(running).rejects.toThrow('interrupted')
  })

  it('colours its text on a terminal only, and not where NO_COLOR is set', async () => {
    const server = await testMcpServer()
    onTestFinished(server.close)

    const coloured = await doctor(server.url, { columns: 80 })
    const plain = await doctor(server.url, { columns: 80, env: { NO_COLOR: '1' } })
    const piped = await doctor(server.url)

    expect(coloured.out).toContain('\u001b[32mok')
    expect(plain.out).not.toContain('\u001b[')
    expect(piped.out).toBe(plain.out)
  })

  it.each([40, 80, 120])('fits sentences into %i columns', async (columns) => {
    const { url } = await world({ metadata: () => ({ code_challenge_methods_supported: [] }) })

    const { out } = await doctor(url, { columns, env: { NO_COLOR: '1' } })

    const sentences = out.split('\n').filter((line) => /^(?:ok|note|problem| ) /.test(line))
    expect(sentences.length).toBeGreaterThan(15)
    const tooLong = sentences.filter((line) => line.length > columns && / /.test(line.slice(11)))
    expect(tooLong).toEqual([])
  })
})
