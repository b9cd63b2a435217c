import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { inspect } from 'node:util'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import { startBasicServer } from '../../examples/servers/basic-server.ts'
import { createCertificateAuthority } from '../../examples/servers/certificates.ts'
import {
  apiKey,
  basic,
  bearer,
  type CredentialError,
  type CredentialProvider,
  env,
  isCredentialError,
  perTenant,
} from '../../src/index.ts'
import { type ConnectOptions, connect } from '../../src/mcp/index.ts'
import { clientCredentials } from '../../src/oauth/index.ts'
import { testAuthorizationServer, testMcpServer } from '../../src/testing/index.ts'
import { recordingOrigin, type SeenRequest } from '../support/recording-origin.ts'
import { clients, negotiatingClients } from '../support/sdk-clients.ts'

const secret = 'secret-value-1'

function keyFromEnvironment(): CredentialProvider {
  process.env['MCP_TEST_KEY'] = secret
  onTestFinished(() => {
    delete process.env['MCP_TEST_KEY']
  })
  return apiKey({ value: env('MCP_TEST_KEY') })
}

/** A server that is none: it answers everything but the look for metadata in the same way. */
function answering(answer: (response: ServerResponse, request: SeenRequest) => unknown) {
  return recordingOrigin((request, response) => {
    if (request.url.startsWith('/.well-known/')) {
      response.statusCode = 404
      return response.end()
    }
    return answer(response, request)
  })
}

for (const { version, make } of [...clients, ...negotiatingClients]) {
  const failure = async (
    url: string | URL,
    provider: Parameters<typeof connect>[2] = keyFromEnvironment(),
    options: ConnectOptions = {},
  ): Promise<CredentialError> => {
    const error: unknown = await connect(make(), url, provider, options).then(
      () => expect.unreachable(),
      (thrown) => thrown,
    )
    if (!isCredentialError(error)) throw error
    const printed = inspect(error, { showHidden: true, depth: 10 })
    expect(printed).not.toMatch(/undefined|secret-value/)
    expect(error.message).toContain(`npx mcp-credentials doctor ${error.resource}`)
    return error
  }

  describe(`the error of connect with a client of SDK ${version}`, () => {
    it('says of a silent 401 what was sent and where it comes from', async () => {
      const server = await answering((response) => response.writeHead(401).end())
      const error = await failure(`${server.origin}/mcp`)

      expect(error).toMatchObject({ code: 'unauthorized', status: 401, provider: 'apiKey' })
      expect(error.message).toContain(
        `${server.origin}/mcp refused the credential of apiKey from env('MCP_TEST_KEY') with 401 and no challenge.`,
      )
      expect(error.cause).toBeInstanceOf(Error)
      expect(isCredentialError(error.cause)).toBe(false)
    })

    it.each([
      [
        'a scope',
        403,
        { 'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${secret}"` },
      ],
      ['a redirect', 307, { Location: `https://evil.example/${secret}` }],
      ['a content type', 200, { 'Content-Type': `text/${secret}` }],
    ])('does not show a key that the server repeats as %s', async (_what, status, headers) => {
      const server = await answering((response) => response.writeHead(status, headers).end())
      // The check of the message is part of `failure`.
      expect((await failure(`${server.origin}/mcp`)).status).toBe(status)
      expect((await failure(`${server.origin}/mcp`, bearer(secret))).status).toBe(status)
    })

    it('names the authorization server when a key is given where OAuth is wanted', async () => {
      const issuer = await testAuthorizationServer()
      onTestFinished(() => issuer.close())
      const server = await testMcpServer({
        bearer: 'token-1',
        authorizationServers: [issuer.issuer],
      })
      onTestFinished(() => server.close())

      const withKey = await failure(server.url)
      const withToken = await failure(server.url, bearer(secret))

      expect(withKey.code).toBe('unauthorized')
      expect(withKey.message).toContain(
        `requires OAuth at ${issuer.issuer}. Use authorizationCode()`,
      )
      expect(withKey.message).toContain(`\`npx mcp-credentials login ${server.url}\``)
      expect(withToken.message).toContain('and did not accept this token')
      const looks = server.requests.filter(({ url }) => url.pathname.startsWith('/.well-known/'))
      expect(looks.length).toBeGreaterThan(0)
      for (const { headers } of looks) {
        expect(JSON.stringify([...headers])).not.toContain(secret)
      }
    })

    it('says of a token that was obtained in vain how to get another', async () => {
      const issuer = await testAuthorizationServer()
      onTestFinished(() => issuer.close())
      const server = await testMcpServer({
        bearer: 'token-1',
        authorizationServers: [issuer.issuer],
      })
      onTestFinished(() => server.close())
      const provider = clientCredentials({
        issuer: issuer.issuer,
        clientId: 'agent',
        clientSecret: 'secret-of-agent',
      })

      const error = await failure(server.url, provider)

      expect(error.code).toBe('unauthorized')
      expect(error.message).toContain('The authorization server issued the token')
      expect(error.message).toMatch(
        /of clientCredentials from .* with 401 and the challenge Bearer/,
      )
    })

    it('ends the look for metadata when its signal aborts', async () => {
      const controller = new AbortController()
      const reason = new Error('the user left')
      const server = await recordingOrigin((request, response) => {
        if (!request.url.startsWith('/.well-known/')) return response.writeHead(401).end()
        return controller.abort(reason)
      })
      const options = { signal: controller.signal }
      const connecting = connect(make(), `${server.origin}/mcp`, keyFromEnvironment(), options)
      await expect(connecting).rejects.toBe(reason)
    })

    it('asks for a user name and a password where the server wants Basic', async () => {
      const server = await startBasicServer({ users: { agent: 'right' } })
      onTestFinished(() => server.close())

      const withKey = await failure(server.url)
      const wrong = await failure(server.url, basic({ username: 'agent', password: secret }))

      expect(withKey.message).toContain('with 401 and the challenge Basic.')
      expect(withKey.message).toContain('Use basic(')
      expect(wrong.message).toContain('The user name or the password is wrong.')
    })

    it('says what a real server refuses over the older transport', async () => {
      const server = await startApiKeyServer({ kind: 'sse', keys: {} })
      onTestFinished(() => server.close())
      const error = await failure(server.url)
      expect(error).toMatchObject({ code: 'unauthorized', status: 401 })
      expect(error.message).toContain("apiKey from env('MCP_TEST_KEY')")
    })

    it('tells a missing scope from a missing permission', async () => {
      const server = await testMcpServer({ apiKey: secret })
      onTestFinished(() => server.close())
      server.requireScope('tools:write')
      const unscoped = await failure(server.url)
      server.requireScope('')
      server.refuse(Infinity, 403)
      const forbidden = await failure(server.url)

      expect(unscoped).toMatchObject({ code: 'forbidden', status: 403 })
      expect(unscoped.message).toContain('the server requires `tools:write`')
      expect(forbidden.code).toBe('forbidden')
      expect(forbidden.message).toContain('lacks a permission')
    })

    it('says that there is no server at a wrong path, and what was tried', async () => {
      const server = await startApiKeyServer({ keys: { [secret]: 'alice' } })
      onTestFinished(() => server.close())
      const error = await failure(`${server.origin}/nothing`)
      expect(error).toMatchObject({ code: 'not_mcp_server', status: 404 })
      expect(error.message).toContain(`There is no MCP server at ${server.origin}/nothing`)
      expect(error.message).toMatch(/it responded to POST with 404 .*and to GET with 404/)
    })

    it('knows a web page by its type', async () => {
      const page = await answering((response) =>
        response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Log in</h1>'),
      )
      const getOnly = await answering((response, { method }) =>
        method === 'GET'
          ? response.writeHead(200, { 'Content-Type': 'text/html' }).end('<h1>Hello</h1>')
          : response.writeHead(405).end(),
      )
      for (const { origin } of [page, getOnly]) {
        const error = await failure(`${origin}/mcp`)
        expect(error.code).toBe('not_mcp_server')
        expect(error.message).toContain('is a web page, not an MCP server')
      }
    })

    it.each([301, 302, 307])('says where a %i leads', async (status) => {
      const location = 'https://login.example.com/start?state=secret-value-2'
      const server = await answering((response) =>
        response.writeHead(status, { Location: location }).end(),
      )
      const error = await failure(`${server.origin}/mcp`)
      expect(error).toMatchObject({ code: 'redirect_refused', status })
      expect(error.message).toContain(`redirects (${status}) to https://login.example.com/start,`)
    })

    it.each(['{"hello":1}', 'hello'])('says that %s is no MCP', async (body) => {
      const server = await answering((response) =>
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(body),
      )
      const error = await failure(`${server.origin}/mcp`)
      expect(error).toMatchObject({ code: 'not_mcp_server', status: 200 })
      expect(error.message).toContain('JSON that is not a JSON-RPC message')
    })

    it.each([
      [429, 'rate_limited'],
      [503, 'server_error'],
    ])('says after a %i that waiting helps', async (status, code) => {
      const server = await answering((response) =>
        response.writeHead(status, { 'Retry-After': '7' }).end(),
      )
      const error = await failure(`${server.origin}/mcp`)
      expect(error).toMatchObject({ code, status, retryable: true, retryAfter: 7 })
      expect(error.message).toContain('Try again in 7 s.')
    })

    it('has another refusal of the server as its cause, and does not print it', async () => {
      const server = await answering((response) =>
        response.writeHead(400).end(`The key ${secret} has no account.`),
      )
      const error = await failure(`${server.origin}/mcp`)
      expect(error).toMatchObject({ code: 'request_refused', status: 400 })
      // With a pinned version the SDK has words of its own.
      expect((error.cause as Error).message).toMatch(/has no account|pinned protocol version/)
    })

    it('says that nobody is there', async () => {
      const { origin, close } = await recordingOrigin()
      await close()
      const refused = await failure(`${origin}/mcp`)
      const unknown = await failure('https://no-such-host.invalid/mcp')

      expect(refused).toMatchObject({ code: 'network', retryable: true })
      expect(refused.message).toContain(`No server is listening at ${origin} (ECONNREFUSED).`)
      expect(unknown.code).toBe('network')
      expect(unknown.message).toMatch(/The host no-such-host\.invalid cannot be resolved \(E\w+\)/)
    })

    it('says how a certificate of your own is trusted', async () => {
      const authority = createCertificateAuthority()
      onTestFinished(() => authority.remove())
      const { cert, key } = authority.issue('server', { server: true })
      const files = { cert: readFileSync(cert), key: readFileSync(key) }
      const server = createServer(files, (_request, response) => response.end())
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
      onTestFinished(() => void server.close())
      const { port } = server.address() as AddressInfo

      const error = await failure(`https://127.0.0.1:${port}/mcp`)

      expect(error).toMatchObject({ code: 'network', retryable: false })
      expect(error.message).toContain('NODE_EXTRA_CA_CERTS')
    })

    it('says that a server does not speak TLS', async () => {
      const { origin } = await recordingOrigin()
      const error = await failure(`${origin.replace('http:', 'https:')}/mcp`)
      expect(error.code).toBe('network')
      expect(error.message).toContain('http: or https:')
    })

    it('leaves an error in JSON-RPC to the SDK', async () => {
      const server = await answering((response, { body }) => {
        const { id } = JSON.parse(body) as { id: number }
        const answer = { jsonrpc: '2.0', id, error: { code: -32602, message: 'No.' } }
        response.writeHead(200, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer))
      })
      const error: Error = await connect(make(), `${server.origin}/mcp`, keyFromEnvironment()).then(
        () => expect.unreachable(),
        (thrown) => thrown,
      )
      expect(isCredentialError(error)).toBe(false)
      expect(error.message).toMatch(/No\.|pinned protocol version/)
    })

    it('names the selector where one chooses', async () => {
      const server = await answering((response) => response.writeHead(401).end())
      const selector = perTenant(
        () => 'acme',
        () => apiKey({ value: secret }),
      )
      const error = await failure(`${server.origin}/mcp`, selector)
      expect(error.message).toContain('refused the credential of perTenant with 401')
    })
  })
}

describe('the error of connect with the option throwOnRefusal', () => {
  it.each([
    ['stateful', 401],
    ['sse', 401],
  ] as const)('says as much of a %s server as without it', async (kind, status) => {
    const server = await startApiKeyServer({ kind, keys: {} })
    onTestFinished(() => server.close())
    const provider = apiKey({ value: secret })
    const [without, withOption] = await Promise.all(
      [false, true].map((throwOnRefusal) =>
        connect(new Client1({ name: 'test', version: '1.0.0' }), server.url, provider, {
          throwOnRefusal,
        }).then(
          () => expect.unreachable(),
          (error: CredentialError) => error,
        ),
      ),
    )
    expect(withOption).toMatchObject({ code: 'unauthorized', status })
    expect(withOption?.message).toBe(without?.message)
  })
})
