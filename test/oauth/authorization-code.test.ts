import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialError, withCredentials } from '../../src/index.ts'
import {
  type AuthorizationCodeOptions,
  authorizationCode,
  clientMetadataDocument,
} from '../../src/oauth/index.ts'
import { testClock } from '../support/clock.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

async function failedLogin(
  script: Script,
  options: AuthorizationCodeOptions = browser,
): Promise<{ world: World; error: CredentialError }> {
  const world = await oauthWorld(script)
  const error = await world.call(authorizationCode(options)).then(
    () => new Error('the login succeeded'),
    (thrown: unknown) => thrown,
  )
  return { world, error: error as CredentialError }
}

describe('a login', () => {
  test('rows 22, 38, 44: sends PKCE, a state and the resource, and exchanges the code once', async () => {
    const world = await oauthWorld()
    const send = withCredentials(authorizationCode(browser)).fetch
    for (let call = 0; call < 3; call += 1) {
      expect((await send(world.url, { method: 'POST', body: '{}' })).status).toBe(200)
    }
    const [login] = world.logins()
    expect(login).toMatchObject({
      response_type: 'code',
      code_challenge_method: 'S256',
      resource: world.url,
      client_id: 'registered-1',
    })
    expect(login?.['state']).toMatch(/^[\w-]{43}$/)
    expect(login?.['redirect_uri']).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    const [exchange, ...more] = world.tokenRequests()
    expect(exchange).toMatchObject({
      grant_type: 'authorization_code',
      code: 'code-1',
      resource: world.url,
      redirect_uri: login?.['redirect_uri'],
    })
    expect(more).toEqual([])
  })

  test('row 5: every later request carries the token, whatever its method', async () => {
    const world = await oauthWorld()
    const send = withCredentials(authorizationCode(browser)).fetch
    for (const method of ['POST', 'GET', 'DELETE']) await send(world.url, { method })
    const calls = world.mcpServer.requests.filter(({ url }) => url === '/mcp').slice(1)
    expect(calls.map(({ method, headers }) => [method, headers.authorization])).toEqual([
      ['POST', 'Bearer access-1'],
      ['GET', 'Bearer access-1'],
      ['DELETE', 'Bearer access-1'],
    ])
  })

  test('row 47: the resource is sent even if the server publishes no metadata of its own', async () => {
    const world = await oauthWorld({ resource: null })
    const provider = authorizationCode({ ...browser, issuer: world.issuer })
    expect((await world.call(provider)).status).toBe(200)
    expect(world.logins()[0]?.['resource']).toBe(world.url)
    expect(world.tokenRequests()[0]?.['resource']).toBe(world.url)
  })

  test('a server that requires pushed parameters receives none in the URL', async () => {
    const world = await oauthWorld({
      metadata: ({ issuer }) => ({
        require_pushed_authorization_requests: true,
        pushed_authorization_request_endpoint: `${issuer}/par/token`,
      }),
      token: (params) =>
        params.has('code_challenge')
          ? { status: 201, body: { request_uri: 'urn:example:1', expires_in: 60 } }
          : undefined,
      redirect: () => {},
    })
    const shown: URL[] = []
    const provider = authorizationCode({
      onAuthorizationUrl(url) {
        shown.push(url)
        throw new Error('enough')
      },
    })
    await expect(world.call(provider)).rejects.toThrow()
    expect([...(shown[0]?.searchParams.keys() ?? [])].sort()).toEqual(['client_id', 'request_uri'])
  })
})

describe('the callback', () => {
  test('row 38, advisories CVE-2025-49596 and CVE-2026-31944: a request without the correct state gets a response and is ignored', async () => {
    const answers: number[] = []
    const pages: string[] = []
    const world = await oauthWorld()
    const provider = authorizationCode({
      async onAuthorizationUrl(url) {
        const target = new URL(url.searchParams.get('redirect_uri') ?? '')
        for (const query of ['', '?code=stolen', '?code=stolen&state=guess', '?error=x&state=']) {
          const response = await fetch(`${target.href}${query}`)
          answers.push(response.status)
          pages.push(await response.text())
        }
        const elsewhere = await fetch(
          new URL(`/other?state=${url.searchParams.get('state')}`, target),
        )
        answers.push(elsewhere.status)
        const post = await fetch(target, { method: 'POST' })
        answers.push(post.status)
        await fetch(url)
      },
    })
    expect((await world.call(provider)).status).toBe(200)
    expect(answers).toEqual([400, 400, 400, 400, 400, 400])
    expect(pages.join()).not.toMatch(/stolen|guess/)
    expect(world.tokenRequests()[0]?.['code']).toBe('code-1')
  })

  test('advisory CVE-2025-62800: the final page of the login shows nothing of the request and loads nothing', async () => {
    const world = await oauthWorld({
      redirect: (target) => target.searchParams.set('x', '<script>alert(1)</script>'),
    })
    let page: Response | undefined
    const provider = authorizationCode({
      async onAuthorizationUrl(url) {
        page = await fetch(url)
      },
    })
    await world.call(provider)
    expect(page?.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(page?.headers.get('referrer-policy')).toBe('no-referrer')
    expect(page?.headers.get('cache-control')).toBe('no-store')
    expect(await page?.text()).not.toMatch(/script|code-1/)
  })

  const issuerRule = (
    supported: boolean,
    iss: ((issuer: string) => string) | undefined,
  ): Script => ({
    metadata: () => ({ authorization_response_iss_parameter_supported: supported }),
    redirect(target, { issuer }) {
      if (iss !== undefined) target.searchParams.set('iss', iss(issuer))
    },
  })

  test.each([
    ['advertised and right', issuerRule(true, (issuer) => issuer)],
    ['neither advertised nor there', issuerRule(false, undefined)],
    ['not advertised, but right', issuerRule(false, (issuer) => issuer)],
  ])('rows 40, 41: an issuer that is %s is accepted', async (_what, script) => {
    const world = await oauthWorld(script)
    expect((await world.call(authorizationCode(browser))).status).toBe(200)
  })

  test.each([
    ['advertised and absent', issuerRule(true, undefined)],
    ['another', issuerRule(true, () => 'https://evil.example')],
    ['another, and not advertised', issuerRule(false, () => 'https://evil.example')],
    ['the same with a slash', issuerRule(true, (issuer) => `${issuer}/`)],
    ['the same in capitals', issuerRule(true, (issuer) => issuer.replace('http', 'HTTP'))],
  ])(
    'rows 40 to 42: an issuer that is %s ends the login without a token request',
    async (what, script) => {
      const { world, error } = await failedLogin(script)
      const { host } = new URL(world.issuer)
      const isAbsent = what.includes('absent')
      expect(error).toMatchObject({
        code: 'invalid_response',
        message: expect.stringContaining(
          isAbsent ? `does not say that it comes from ${host}` : `does not come from ${host}`,
        ),
      })
      expect(error.message).toContain('The response was not used.')
      expect(world.tokenRequests()).toEqual([])
    },
  )

  test('row 43: with a wrong issuer, no part of the error is shown', async () => {
    const { error } = await failedLogin({
      ...issuerRule(true, () => 'https://evil.example'),
      redirect(target) {
        target.searchParams.delete('code')
        target.searchParams.set('iss', 'https://evil.example')
        target.searchParams.set('error', 'access_denied')
        target.searchParams.set('error_description', 'CALL-0800-EVIL')
        target.searchParams.set('error_uri', 'https://evil.example/help')
      },
    })
    expect(inspect(error, { depth: 10 })).not.toMatch(/access_denied|CALL-0800|evil\.example/)
  })

  test('a user who declines ends the login, and is not asked again automatically', async () => {
    const world = await oauthWorld({
      redirect(target) {
        target.searchParams.delete('code')
        target.searchParams.set('error', 'access_denied')
      },
    })
    const send = withCredentials(authorizationCode(browser)).fetch
    const call = () => send(world.url, { method: 'POST', body: '{}' })
    await expect(call()).rejects.toMatchObject({
      code: 'login_required',
      reason: 'grant_rejected',
    })
    await expect(call()).rejects.toMatchObject({ code: 'login_required' })
    expect(world.logins()).toHaveLength(1)
    await expect(send.login()).rejects.toMatchObject({ code: 'login_required' })
    expect(world.logins()).toHaveLength(2)
  })

  test('the lifetime of a token counts from its own request, however long the user took', async () => {
    const clock = testClock()
    const world = await oauthWorld({
      token: (_params, count) => ({ body: tokenAnswer(count, { expires_in: 120 }) }),
    })
    const provider = authorizationCode({
      async onAuthorizationUrl(url) {
        clock.advance(200_000)
        await fetch(url)
      },
    })
    const send = authorizedFetch(provider, { resource: world.url, now: clock.now })
    const { expiresAt } = await send.manager.login()
    expect(expiresAt).toBe(clock.now() + 120_000)
  })

  test('an open connection of the browser does not keep the listener running', async () => {
    const world = await oauthWorld()
    const held = new Promise<void>((resolve, reject) => {
      const provider = authorizationCode({
        async onAuthorizationUrl(url) {
          const { port } = new URL(url.searchParams.get('redirect_uri') ?? '')
          const socket = connect(Number(port), '127.0.0.1')
          await once(socket, 'connect')
          socket.once('close', () => resolve())
          socket.resume()
          await fetch(url)
        },
      })
      world.call(provider).catch(reject)
    })
    await held
  })

  test('the page after a declined login does not report success', async () => {
    const world = await oauthWorld({
      redirect(target) {
        target.searchParams.delete('code')
        target.searchParams.set('error', 'access_denied')
      },
    })
    let page: Promise<string> | undefined
    const provider = authorizationCode({
      onAuthorizationUrl(url) {
        page = fetch(url).then((response) => response.text())
      },
    })
    await expect(world.call(provider)).rejects.toThrow()
    expect(await page).toContain('The login failed.')
  })

  test('the user may paste the URL to which the browser was redirected', async () => {
    const world = await oauthWorld()
    const provider = authorizationCode({
      redirectUri: 'https://app.example.com/done',
      async onAuthorizationUrl(url) {
        const response = await fetch(url, { redirect: 'manual' })
        return response.headers.get('location') ?? ''
      },
    })
    expect((await world.call(provider)).status).toBe(200)
    expect(world.tokenRequests()[0]?.['redirect_uri']).toBe('https://app.example.com/done')
  })

  test('a pasted URL of another login is rejected before anything is sent', async () => {
    const { world, error } = await failedLogin(
      {},
      {
        redirectUri: 'https://app.example.com/done',
        onAuthorizationUrl: () => 'https://app.example.com/done?code=x&state=old',
      },
    )
    expect(error.message).toContain('does not belong to this login')
    expect(world.tokenRequests()).toEqual([])
  })
})

describe('a login without a callback', () => {
  test('ends at its time limit, says so, and frees its port', async () => {
    let port = ''
    const { world, error } = await failedLogin(
      {},
      {
        loginTimeout: 0.05,
        onAuthorizationUrl: (url) => {
          port = new URL(url.searchParams.get('redirect_uri') ?? '').port
        },
      },
    )
    expect(error).toMatchObject({ code: 'login_required', reason: 'login_failed' })
    expect(error.message).toContain('within 0.05 s')
    expect(error.message).toContain('Call `login()` to try again.')
    expect(error.message).toMatch(
      /If the browser showed an error about `redirect_uri`.*http:\/\/127\.0\.0\.1:\d+\/callback/,
    )
    expect(world.tokenRequests()).toEqual([])
    await expect(fetch(`http://127.0.0.1:${port}/callback`)).rejects.toThrow()
  })

  test('can be cancelled by the caller', async () => {
    const world = await oauthWorld()
    const controller = new AbortController()
    let port = ''
    let told: AbortSignal | undefined
    const provider = authorizationCode({
      onAuthorizationUrl(url, { signal }) {
        told = signal
        port = new URL(url.searchParams.get('redirect_uri') ?? '').port
        controller.abort(new Error('no time'))
      },
    })
    const send = authorizedFetch(provider, { resource: world.url })
    await expect(send.manager.credential({ signal: controller.signal })).rejects.toThrow('no time')
    expect(told?.aborted).toBe(true)
    await expect(fetch(`http://127.0.0.1:${port}/callback`)).rejects.toThrow()
  })
})

describe('the client of a login', () => {
  const document = 'https://app.example.com/client.json'
  const takes = { client_id_metadata_document_supported: true }
  const closed = { registration_endpoint: undefined }

  test.each([
    [
      'pre-registered wins over everything',
      takes,
      { clientId: 'known', clientMetadataUrl: document },
      'known',
      false,
    ],
    ['pre-registered needs nothing', closed, { clientId: 'known' }, 'known', false],
    ['a document where it is supported', takes, { clientMetadataUrl: document }, document, false],
    [
      'a document without a registration endpoint',
      { ...takes, ...closed },
      { clientMetadataUrl: document },
      document,
      false,
    ],
    [
      'registration where documents are not supported',
      {},
      { clientMetadataUrl: document },
      'registered-1',
      true,
    ],
    ['registration without a metadata document', takes, {}, 'registered-1', true],
  ])('rows 24 to 26, 30, 31: %s', async (_what, metadata, options, expected, registers) => {
    const world = await oauthWorld({ metadata: () => metadata })
    expect((await world.call(authorizationCode({ ...browser, ...options }))).status).toBe(200)
    expect(world.logins()[0]?.['client_id']).toBe(expected)
    expect(world.paths().includes('/register')).toBe(registers)
  })

  test('row 25: with none of them, the error says to register a client', async () => {
    const { error } = await failedLogin({ metadata: () => closed })
    expect(error).toMatchObject({ code: 'unsupported_server' })
    expect(error.message).toContain('`clientId`')
  })

  test.each([
    'https://app.example.com/',
    'https://app.example.com',
    'http://app.example.com/client.json',
    'https://app.example.com/client.json#x',
    'https://app.example.com/a/../client.json',
    'https://app.example.com/./client.json',
    'https://user@app.example.com/client.json',
    'client.json',
  ])('row 27: %s cannot be the URL of a metadata document', (clientMetadataUrl) => {
    expect(() => authorizationCode({ clientMetadataUrl })).toThrow('clientMetadataUrl')
  })

  test('rows 28, 29: the metadata document names itself, and contains no shared secret', () => {
    const redirectUris = ['http://127.0.0.1/callback']
    expect(clientMetadataDocument(document, { clientName: 'Notes', redirectUris })).toEqual({
      client_id: document,
      client_name: 'Notes',
      redirect_uris: redirectUris,
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    })
  })

  test('rows 32, 56: a registration states the application type and the refresh grant', async () => {
    const world = await oauthWorld()
    await world.call(authorizationCode({ ...browser, clientName: 'Notes agent' }))
    const registration = world.authorizationServer.requests.find(({ url }) => url === '/register')
    expect(JSON.parse(registration?.body ?? '')).toMatchObject({
      client_name: 'Notes agent',
      application_type: 'native',
      grant_types: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_method: 'none',
    })
  })

  test.each([
    [{ status: 400, body: { error: 'invalid_redirect_uri' } }, 'invalid_redirect_uri'],
    [{ status: 403, body: 'forbidden' }, 'registration_failed'],
    [{ status: 201, body: { client_name: 'x' } }, 'registration_failed'],
  ])('row 33: a rejected registration (%j) says why and what to do', async (answer, code) => {
    const { error, world } = await failedLogin({ register: () => answer })
    expect(error).toMatchObject({ code, status: answer.status })
    expect(error.message).toContain('Register the client by hand')
    expect(world.logins()).toEqual([])
  })

  test('row 34: a registration is used for the next login too, at the same port', async () => {
    const world = await oauthWorld()
    const send = authorizedFetch(authorizationCode(browser), { resource: world.url })
    await send.manager.credential()
    await send.manager.logout()
    await send.manager.credential()
    const [first, second] = world.logins()
    expect(second?.['redirect_uri']).toBe(first?.['redirect_uri'])
    expect(world.paths().filter((path) => path === '/register')).toHaveLength(1)
  })

  test('row 34: if the port is in use, the client registers again', async () => {
    const world = await oauthWorld()
    const send = authorizedFetch(authorizationCode(browser), { resource: world.url })
    await send.manager.credential()
    await send.manager.logout()
    const port = Number(new URL(world.logins()[0]?.['redirect_uri'] ?? '').port)
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve))
    try {
      await send.manager.credential()
    } finally {
      squatter.close()
    }
    expect(world.paths().filter((path) => path === '/register')).toHaveLength(2)
  })

  test('a registered secret is used with the method that the server requires', async () => {
    const world = await oauthWorld({
      metadata: () => ({ token_endpoint_auth_methods_supported: ['client_secret_post'] }),
      register: (body) => ({
        status: 201,
        body: { ...body, client_id: 'c-1', client_secret: 'issued-secret' },
      }),
    })
    expect((await world.call(authorizationCode(browser))).status).toBe(200)
    expect(world.tokenRequests()[0]).toMatchObject({
      client_id: 'c-1',
      client_secret: 'issued-secret',
    })
  })
})

describe('the options', () => {
  test('row 37: a redirect URI is https or on this machine', () => {
    for (const redirectUri of [
      'http://example.com/cb',
      'myapp://cb',
      'http://127.0.0.1/cb#x',
      'x',
    ]) {
      expect(() => authorizationCode({ ...browser, redirectUri })).toThrow('redirectUri')
    }
  })

  test('a redirect URI elsewhere requires a function that receives the callback', () => {
    expect(() => authorizationCode({ redirectUri: 'https://app.example.com/cb' })).toThrow(
      'onAuthorizationUrl is missing',
    )
  })

  test('a configured port that is in use causes an error that names it', async () => {
    const squatter = createServer()
    await new Promise<void>((resolve) => squatter.listen(0, '127.0.0.1', resolve))
    const { port } = squatter.address() as AddressInfo
    const { error } = await failedLogin(
      {},
      { ...browser, redirectUri: `http://127.0.0.1:${port}/callback` },
    )
    squatter.close()
    expect(error).toMatchObject({ code: 'configuration' })
    expect(error.message).toContain(`port ${port} is in use`)
  })

  test.each([
    [{ clientSecret: 's' }, 'clientId'],
    [{ clientId: 'a', clientSecret: 's' }, 'issuer'],
    [{ issuer: 'http://login.example.com' }, 'issuer'],
    [{ issuer: 'https://login.example.com/?x=1' }, 'issuer'],
    [{ scope: 'a  b' }, 'scope'],
    [{ resource: 'mcp' }, 'resource'],
    [{ parameters: { grant_type: 'x' } }, 'parameters.grant_type'],
    [{ loginTimeout: 0 }, 'loginTimeout'],
    [{ loginTimeout: 3600 }, 'loginTimeout'],
    [{ clientid: 'a' }, 'clientid'],
    [{ clientAuth: 'client_secret_post', clientId: 'a' }, 'clientSecret'],
  ])('%j is rejected at construction, naming %s', (options, option) => {
    expect(() => authorizationCode(options as AuthorizationCodeOptions)).toThrow(
      expect.objectContaining({
        name: 'ConfigurationError',
        option: `authorizationCode.${option}`,
      }),
    )
  })
})
