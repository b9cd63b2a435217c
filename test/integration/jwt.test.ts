import { describe, expect, onTestFinished, test } from 'vitest'
import { startJwtServer } from '../../examples/servers/jwt-server.ts'
import { generateSigningKey, type JwtOptions, jwt, withCredentials } from '../../src/index.ts'
import { sdks } from '../support/sdk.ts'

const issuer = 'https://agents.example.com'

async function serve(algorithm: 'RS256' | 'ES256') {
  const pair = await generateSigningKey(algorithm)
  const keys = { keys: [...pair.jwks.keys] as never }
  const server = await startJwtServer({ keys, algorithms: [algorithm], issuer, audience: 'notes' })
  onTestFinished(() => server.close())
  const options = (roles: readonly string[]): JwtOptions => ({
    algorithm,
    key: pair.privateKey,
    keyId: pair.keyId,
    issuer,
    subject: 'alice',
    audience: 'notes',
    claims: { roles },
  })
  return { server, options }
}

describe.each(sdks)('through $name', (sdk) => {
  test('a token opens the tools that its roles allow', async () => {
    const { server, options } = await serve('ES256')
    const client = sdk.client()
    const fetch = withCredentials(jwt(options(['reader']))).fetch
    await client.connect(sdk.streamable(server.url, { fetch }))
    expect(await client.callTool({ name: 'echo', arguments: { text: 'hi' } })).not.toMatchObject({
      isError: true,
    })
    expect(await client.callTool({ name: 'purge' })).toMatchObject({ isError: true })
    await client.close()
    expect(server.requests.every(({ authenticated }) => authenticated)).toBe(true)
  })
})

test('a clock that is ten minutes slow heals with one more request', async () => {
  const { server, options } = await serve('RS256')
  const fetch = withCredentials(jwt(options([])), { now: () => Date.now() - 600_000 }).fetch
  const post = () => fetch(server.url, { method: 'POST', body: '{}' })
  expect((await post()).status).not.toBe(401)
  expect((await post()).status).not.toBe(401)
  expect(server.requests.map(({ authenticated }) => authenticated)).toEqual([false, true, true])
})

test('a key that the server no longer knows ends in the server’s own 401 after one retry', async () => {
  const { server, options } = await serve('ES256')
  const other = await generateSigningKey('ES256')
  server.replaceKeys({ keys: [...other.jwks.keys] as never })
  const response = await withCredentials(jwt(options([]))).fetch(server.url, {
    method: 'POST',
    body: '{}',
  })
  expect(response.status).toBe(401)
  expect(server.requests).toHaveLength(2)
})
