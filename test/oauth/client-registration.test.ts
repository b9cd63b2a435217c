import { decodeJwt } from 'jose'
import { describe, expect, test } from 'vitest'
import { generateSigningKey } from '../../src/index.ts'
import {
  authorizationCode,
  clientMetadataDocument,
  clientSecretJwt,
  privateKeyJwt,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld, type Script } from '../support/oauth-world.ts'

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }
const url = 'https://agent.example.com/client.json'
const described = { clientName: 'Agent', redirectUris: ['http://127.0.0.1/callback'] }

describe('a metadata document', () => {
  test('row 29: of a client with keys contains them or their URL', async () => {
    const { jwks } = await generateSigningKey('ES256')
    expect(clientMetadataDocument(url, { ...described, jwks })).toMatchObject({
      client_id: url,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks,
    })
    const jwksUri = 'https://agent.example.com/jwks.json'
    const other = clientMetadataDocument(url, { ...described, jwksUri })
    expect(other).toMatchObject({
      token_endpoint_auth_method: 'private_key_jwt',
      jwks_uri: jwksUri,
    })
    expect(other).not.toHaveProperty('jwks')
    expect(clientMetadataDocument(url, described)).toMatchObject({
      token_endpoint_auth_method: 'none',
    })
  })

  test.each([
    [{ jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: 'private' }] } }, 'jwks'],
    [{ jwks: { keys: [{ kty: 'oct', k: 'shared' }] } }, 'jwks'],
    [{ jwks: { keys: [] } }, 'jwks'],
    [{ jwks: [] }, 'jwks'],
    [{ jwksUri: 'http://agent.example.com/jwks.json' }, 'jwksUri'],
    [{ jwks: { keys: [{ kty: 'EC' }] }, jwksUri: 'https://agent.example.com/jwks' }, 'jwksUri'],
    [{ clientSecret: 'shared' }, 'clientSecret'],
  ])('row 29: never contains a secret, and is checked: %j', (more, option) => {
    expect(() => clientMetadataDocument(url, { ...described, ...more } as never)).toThrow(
      expect.objectContaining({ option: `clientMetadataDocument.${option}` }),
    )
  })

  const takes: Script['metadata'] = () => ({ client_id_metadata_document_supported: true })

  test('identifies the client that signs its token requests', async () => {
    const world = await oauthWorld({ metadata: takes })
    const { privateKey } = await generateSigningKey('ES256')
    const clientAuth = privateKeyJwt({ key: privateKey })
    await world.call(authorizationCode({ ...browser, clientMetadataUrl: url, clientAuth }))
    const [request] = world.tokenRequests()
    expect(request?.['client_id']).toBe(url)
    expect(decodeJwt(request?.['client_assertion'] ?? '')).toMatchObject({ iss: url, sub: url })
  })

  test('is not used to sign for a client that had to register dynamically', async () => {
    const world = await oauthWorld()
    const { privateKey } = await generateSigningKey('ES256')
    const clientAuth = privateKeyJwt({ key: privateKey })
    await world.call(authorizationCode({ ...browser, clientMetadataUrl: url, clientAuth }))
    const [request] = world.tokenRequests()
    expect(request).toMatchObject({ client_id: 'registered-1' })
    expect(request).not.toHaveProperty('client_assertion')
  })

  test('cannot be combined with a shared secret, nor a key without a client', async () => {
    const issuer = 'https://login.example.com'
    const clientAuth = clientSecretJwt({ secret: 'shared' })
    const options = { clientMetadataUrl: url, clientAuth, issuer }
    expect(() => authorizationCode(options)).toThrow(
      expect.objectContaining({ option: 'authorizationCode.clientAuth' }),
    )
    const { privateKey } = await generateSigningKey('ES256')
    expect(() => authorizationCode({ clientAuth: privateKeyJwt({ key: privateKey }) })).toThrow(
      expect.objectContaining({ option: 'authorizationCode.clientAuth' }),
    )
  })
})

describe('a registration that requires permission', () => {
  const registration = {
    initialAccessToken: 'canary-initial',
    softwareStatement: 'canary.soft.ware',
  }

  test('sends the initial access token and the software statement', async () => {
    const world = await oauthWorld()
    const store = memoryStore()
    const provider = authorizationCode({ ...browser, issuer: world.issuer, registration })
    await world.call(provider, { store })
    const request = world.authorizationServer.requests.find((seen) => seen.url === '/register')
    expect(request?.headers.authorization).toBe('Bearer canary-initial')
    expect(JSON.parse(request?.body ?? '')).toMatchObject({
      software_statement: 'canary.soft.ware',
      client_name: 'MCP client',
    })
    const kept = await Promise.all((await store.list()).map((key) => store.get(key)))
    expect(JSON.stringify(kept)).not.toContain('canary')
    expect(JSON.stringify(world.mcpServer.requests)).not.toContain('canary')
  })

  test('reads its secrets when it registers, and not for a stored registration', async () => {
    const world = await oauthWorld()
    let count = 0
    const initialAccessToken = () => {
      count += 1
      return `initial-${count}`
    }
    const options = { ...browser, issuer: world.issuer, registration: { initialAccessToken } }
    const store = memoryStore()
    await world.call(authorizationCode(options), { store })
    await world.call(authorizationCode(options), { store, account: 'other' })
    expect(count).toBe(1)
  })

  test.each([
    [{ registration }, 'issuer'],
    [{ registration: { token: 'x' }, issuer: 'https://login.example.com' }, 'registration.token'],
    [{ registration: {}, issuer: 'https://login.example.com' }, 'registration'],
    [
      { registration: { initialAccessToken: '' }, issuer: 'https://login.example.com' },
      'registration.initialAccessToken',
    ],
  ])('is rejected without an issuer: %j', (options, option) => {
    expect(() => authorizationCode(options as never)).toThrow(
      expect.objectContaining({ option: `authorizationCode.${option}` }),
    )
  })

  test('does not show them if the server rejects the registration', async () => {
    const world = await oauthWorld({
      register: () => ({
        status: 400,
        body: { error: 'invalid_software_statement', error_description: 'canary.soft.ware' },
      }),
    })
    const provider = authorizationCode({ ...browser, issuer: world.issuer, registration })
    const error = await world.call(provider).catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'invalid_software_statement' })
    expect(String(error)).not.toContain('canary')
  })
})
