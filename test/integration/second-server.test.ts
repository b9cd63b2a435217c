import { createServer } from 'node:http'
import { createRemoteJWKSet, jwtVerify } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialProvider, type FetchLike } from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  clientSecretJwt,
  deviceCode,
  privateKeyJwt,
  refreshToken,
} from '../../src/oauth/index.ts'
import { generateSigningKey } from '../../src/providers/generate-signing-key.ts'
import { type Glewlwyd, startGlewlwyd } from '../support/glewlwyd.ts'
import { freePort } from '../support/redis-server.ts'

const clientSecret = 'a-client-secret-of-more-than-32-bytes'
/** A secret that changes when a form encodes it. */
const oddSecret = 'a+secret/with=odd%characters'
const machine = { confidential: true, authorization_type: ['client_credentials'] }
const person = ['code', 'refresh_token']

let as: Glewlwyd
let mcp: Awaited<ReturnType<typeof startMcp>>
let redirectUri: string
let key: Awaited<ReturnType<typeof generateSigningKey>>
/** The requests to the authorization server and their answers, as `token 200`. */
const answers: string[] = []

const recording: FetchLike = async (input, init) => {
  const answer = await fetch(input, init)
  const { pathname } = new URL(String(input))
  if (init?.method === 'POST') answers.push(`${pathname.split('/').at(-1)} ${answer.status}`)
  return answer
}

/** A server that accepts the tokens of one issuer that are meant for it and were not taken back. */
async function startMcp() {
  let issuer = ''
  let url = ''
  const refused = new Set<string>()
  const accepted: string[] = []
  const bound: string[] = []
  const verify = async (token: string) => {
    const keys = createRemoteJWKSet(new URL(`${issuer}/jwks`))
    return (await jwtVerify(token, keys, { issuer, audience: url })).payload
  }
  const server = createServer(async (request, response) => {
    if (request.method === 'GET') {
      const metadata = { resource: url, authorization_servers: [issuer] }
      response.setHeader('content-type', 'application/json')
      return response.end(JSON.stringify({ ...metadata, scopes_supported: ['notes:read'] }))
    }
    const [scheme, token = ''] = request.headers.authorization?.split(' ') ?? []
    const claims = refused.has(token) ? undefined : await verify(token).catch(() => undefined)
    const isBound = claims?.['cnf'] !== undefined
    if (claims !== undefined && scheme === (isBound ? 'DPoP' : 'Bearer')) {
      if (isBound) bound.push(token)
      accepted.push(token)
      return response.end(String(claims.sub))
    }
    const metadata = new URL('/.well-known/oauth-protected-resource/mcp', url)
    const challenge = `Bearer resource_metadata="${metadata}", scope="notes:read"`
    return response.writeHead(401, { 'www-authenticate': challenge }).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/mcp`
  return {
    url,
    bound,
    trust(name: string) {
      issuer = name
    },
    revokeAll() {
      for (const token of accepted) refused.add(token)
    },
    close: () => server.closeAllConnections(),
    server,
  }
}

beforeAll(async () => {
  mcp = await startMcp()
  key = await generateSigningKey('ES256')
  redirectUri = `http://127.0.0.1:${await freePort()}/callback`
  const secret = { client_secret: clientSecret }
  const methods = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt']
  as = await startGlewlwyd({
    resource: mcp.url,
    clients: [
      { client_id: 'machine', ...machine, ...secret, token_endpoint_auth_method: methods },
      {
        client_id: 'odd',
        ...machine,
        client_secret: oddSecret,
        token_endpoint_auth_method: methods,
      },
      {
        client_id: 'keyed',
        ...machine,
        token_endpoint_auth_method: ['private_key_jwt'],
        jwks: key.jwks as { keys: [] },
      },
      {
        client_id: 'native',
        confidential: false,
        authorization_type: person,
        redirect_uri: [redirectUri],
      },
      {
        client_id: 'web',
        confidential: true,
        ...secret,
        authorization_type: [...person, 'client_credentials'],
        redirect_uri: [redirectUri],
        token_endpoint_auth_method: ['client_secret_basic'],
      },
      {
        client_id: 'tv',
        confidential: false,
        authorization_type: ['device_authorization', 'refresh_token'],
      },
    ],
  })
  mcp.trust(as.issuer)
}, 60_000)

afterAll(async () => {
  await as?.stop()
  mcp?.close()
  mcp?.server.close()
})

beforeEach(() => {
  answers.length = 0
})

function client(provider: CredentialProvider) {
  const send = authorizedFetch(provider, {
    resource: mcp.url,
    fetch: recording,
  })
  const ping = async () => {
    const answer = await send(mcp.url, { method: 'POST', body: '{}' })
    return [answer.status, await answer.text()]
  }
  return { send, ping }
}

/** A login of a person, through the redirect that is registered. */
function login(identity: Parameters<typeof authorizationCode>[0]) {
  return client(
    authorizationCode({
      issuer: as.issuer,
      redirectUri,
      onAuthorizationUrl: as.approve,
      ...identity,
    }),
  )
}

const atToken = () => answers.filter((each) => each.startsWith('token'))

describe('glewlwyd gives tokens to a program', () => {
  test.each(['client_secret_basic', 'client_secret_post'] as const)('by %s', async (clientAuth) => {
    const { issuer } = as
    const provider = clientCredentials({
      clientId: 'machine',
      clientSecret,
      clientAuth,
      issuer,
    })
    expect(await client(provider).ping()).toEqual([200, 'machine'])
    expect(atToken()).toEqual(['token 200'])
  })

  test('by an assertion that its secret signs', async () => {
    const clientAuth = clientSecretJwt({ secret: clientSecret, audience: 'token_endpoint' })
    const provider = clientCredentials({ clientId: 'machine', clientAuth, issuer: as.issuer })
    expect(await client(provider).ping()).toEqual([200, 'machine'])
  })

  test('by an assertion that its key signs', async () => {
    const clientAuth = privateKeyJwt({
      key: key.privateKey,
      keyId: key.keyId,
      audience: 'token_endpoint',
    })
    const provider = clientCredentials({ clientId: 'keyed', clientAuth, issuer: as.issuer })
    expect(await client(provider).ping()).toEqual([200, 'keyed'])
  })

  test.each(['client_secret_basic_unencoded', 'client_secret_post'] as const)(
    'by a secret of odd characters (%s)',
    async (clientAuth) => {
      const provider = clientCredentials({
        clientId: 'odd',
        clientSecret: oddSecret,
        clientAuth,
        issuer: as.issuer,
      })
      expect(await client(provider).ping()).toEqual([200, 'odd'])
    },
  )

  test('but not for an assertion meant for its issuer, and the error names the audience', async () => {
    const clientAuth = privateKeyJwt({ key: key.privateKey, keyId: key.keyId })
    const provider = clientCredentials({ clientId: 'keyed', clientAuth, issuer: as.issuer })
    const { ping } = client(provider)
    await expect(ping()).rejects.toMatchObject({
      code: 'invalid_client',
      message: expect.stringContaining('audience'),
    })
    expect(atToken()).toEqual(['token 403'])
  })

  test('but not for a wrong secret, which is sent once', async () => {
    const provider = clientCredentials({
      clientId: 'machine',
      clientSecret: 'not-the-secret',
      issuer: as.issuer,
    })
    const { ping } = client(provider)
    await expect(ping()).rejects.toMatchObject({ retryable: false })
    expect(atToken()).toHaveLength(1)
  })

  test('but not for a scope that it does not know, which is asked for once', async () => {
    const provider = clientCredentials({
      clientId: 'machine',
      clientSecret,
      issuer: as.issuer,
      scope: 'unknown:scope',
    })
    const { ping } = client(provider)
    await expect(ping()).rejects.toMatchObject({ retryable: false })
    expect(atToken()).toEqual(['token 400'])
  })
})

describe('glewlwyd gives tokens to a person', () => {
  test.each([
    ['a public client', { clientId: 'native' }],
    ['a confidential client', { clientId: 'web', clientSecret }],
  ])('with %s, whose refresh token rotates', async (_what, identity) => {
    const { ping } = login(identity)
    expect((await ping())[0]).toBe(200)
    for (let round = 0; round < 3; round += 1) {
      mcp.revokeAll()
      expect((await ping())[0]).toBe(200)
    }
    expect(atToken()).toEqual(['token 200', 'token 200', 'token 200', 'token 200'])
  })

  test('with a key of the client, to which they stay bound', async () => {
    const { ping } = login({ clientId: 'native', dpop: true })
    expect((await ping())[0]).toBe(200)
    mcp.revokeAll()
    expect((await ping())[0]).toBe(200)
    expect(mcp.bound).toHaveLength(2)
    expect(atToken()).toEqual(['token 200', 'token 200'])
  })

  test('once for twenty requests at the same time', async () => {
    const { ping } = login({ clientId: 'native' })
    await ping()
    mcp.revokeAll()
    const statuses = (await Promise.all(Array.from({ length: 20 }, ping))).map(([status]) => status)
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(atToken()).toEqual(['token 200', 'token 200'])
  })

  test('but not with a wrong secret, and the error names the secret', async () => {
    const { ping } = login({ clientId: 'web', clientSecret: 'not-the-secret' })
    await expect(ping()).rejects.toMatchObject({
      status: 403,
      retryable: false,
      message: expect.stringContaining('secret'),
    })
    expect(atToken()).toEqual(['token 403'])
  })

  test('and a logout ends, although it takes no tokens back from a public client', async () => {
    const { ping, send } = login({ clientId: 'native' })
    await ping()
    await send.logout()
    expect(answers).toContain('revoke 401')
    answers.length = 0
    expect((await ping())[0]).toBe(200)
    expect(atToken()).toEqual(['token 200'])
  })

  test('whose refresh token, when it is dead, asks for a login that works', async () => {
    const { ping, send } = login({ clientId: 'native' })
    await ping()
    const stolen = (await send.manager.credential()).record?.data['refreshToken'] as string
    const thief = client(
      refreshToken({ clientId: 'native', issuer: as.issuer, refreshToken: stolen }),
    )
    expect((await thief.ping())[0]).toBe(200)
    mcp.revokeAll()
    answers.length = 0
    const provider = refreshToken({
      clientId: 'native',
      issuer: as.issuer,
      refreshToken: stolen,
    })
    await expect(client(provider).ping()).rejects.toMatchObject({ code: 'login_required' })
    expect(atToken()).toEqual(['token 400'])
    await send.login()
    expect((await ping())[0]).toBe(200)
  })

  test('who logs in again at the request after the refresh token died', async () => {
    const { ping, send } = login({ clientId: 'native' })
    await ping()
    const stolen = (await send.manager.credential()).record?.data['refreshToken'] as string
    await client(
      refreshToken({ clientId: 'native', issuer: as.issuer, refreshToken: stolen }),
    ).ping()
    mcp.revokeAll()
    answers.length = 0
    expect((await ping())[0]).toBe(200)
    expect(atToken()).toEqual(['token 400', 'token 200'])
  })

  test('and takes them back at a logout', async () => {
    const { ping, send } = login({ clientId: 'web', clientSecret })
    await ping()
    const held = (await send.manager.credential()).record?.data['refreshToken'] as string
    await send.logout()
    expect(answers.filter((each) => each.startsWith('revoke'))).toContain('revoke 200')
    const provider = refreshToken({
      clientId: 'web',
      clientSecret,
      issuer: as.issuer,
      refreshToken: held,
    })
    await expect(client(provider).ping()).rejects.toMatchObject({ code: 'login_required' })
  })

  test('who enters a code on another device', async () => {
    const provider = deviceCode({
      clientId: 'tv',
      issuer: as.issuer,
      onUserCode: ({ userCode }) => as.approveDevice(userCode, 'tv'),
    })
    const { ping } = client(provider)
    expect((await ping())[0]).toBe(200)
    mcp.revokeAll()
    expect((await ping())[0]).toBe(200)
  })
})
