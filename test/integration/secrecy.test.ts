import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import dns from 'node:dns/promises'
import { inspect } from 'node:util'
import { beforeEach, expect, test, vi } from 'vitest'
import { awsSigV4 } from '../../src/aws/index.ts'
import {
  all,
  apiKey,
  authorizedFetch,
  basic,
  bearer,
  type CredentialProvider,
  type CredentialSelector,
  custom,
  firstAvailable,
  fromCommand,
  fromGoogleAuth,
  fromTokenCredential,
  headers,
  hmac,
  httpSignature,
  jwt,
  perTenant,
  rotating,
} from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  clientSecretJwt,
  enterpriseManaged,
  jwtBearer,
  privateKeyJwt,
  refreshToken,
  tokenEndpoint,
  tokenExchange,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

const resource = 'https://mcp.example.com/mcp'
const issuer = 'https://auth.example.com'
const secret = `canary${randomBytes(24).toString('hex')}`
const issued = `issued${randomBytes(24).toString('hex')}`
const clientKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ type: 'pkcs8', format: 'pem' })
  .toString()
const keyLine = clientKey.split('\n')[1] ?? ''

const client = { clientId: 'agent', issuer }
const local: Record<string, () => CredentialProvider | CredentialSelector> = {
  apiKey: () => apiKey({ value: secret }),
  'apiKey in the query': () => apiKey({ value: secret, query: 'key' }),
  bearer: () => bearer(secret),
  basic: () => basic({ username: 'agent', password: secret }),
  headers: () => headers({ 'X-Session': secret }),
  hmac: () => hmac({ secret }),
  httpSignature: () => httpSignature({ algorithm: 'hmac-sha256', secret, keyId: 'k' }),
  jwt: () => jwt({ algorithm: 'HS256', secret }),
  'jwt with a private key': () => jwt({ algorithm: 'ES256', key: clientKey }),
  custom: () =>
    custom({ acquire: () => ({ apply: ({ headers }) => headers.set('X-Key', secret) }) }),
  all: () => all(bearer(secret), headers({ 'X-Tenant': secret })),
  firstAvailable: () => firstAvailable(bearer(secret), apiKey({ value: secret })),
  rotating: () => rotating([bearer(secret), bearer(`${secret}2`)]),
  perTenant: () =>
    perTenant(
      () => 'tenant',
      () => bearer(secret),
    ),
  fromCommand: () => fromCommand([process.execPath, '--print', JSON.stringify(secret)]),
  fromTokenCredential: () =>
    fromTokenCredential(
      { getToken: async () => ({ token: secret, expiresOnTimestamp: 9e15 }) },
      's',
    ),
  fromGoogleAuth: () =>
    fromGoogleAuth({
      getRequestHeaders: async () => new Headers({ authorization: `Bearer ${secret}` }),
    }),
  awsSigV4: () =>
    awsSigV4({
      region: 'eu-central-1',
      service: 'execute-api',
      credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: secret, sessionToken: secret },
    }),
}
const remote: Record<string, () => CredentialProvider> = {
  tokenEndpoint: () =>
    tokenEndpoint({ url: `${issuer}/token`, fields: { secret }, headers: { 'X-Key': secret } }),
  'clientCredentials, Basic': () => clientCredentials({ ...client, clientSecret: secret }),
  'clientCredentials, in the body': () =>
    clientCredentials({ ...client, clientSecret: secret, clientAuth: 'client_secret_post' }),
  'clientCredentials, with a MAC': () =>
    clientCredentials({ ...client, clientAuth: clientSecretJwt({ secret }) }),
  'clientCredentials, with a private key': () =>
    clientCredentials({ ...client, clientAuth: privateKeyJwt({ key: clientKey }) }),
  'clientCredentials, with proofs': () =>
    clientCredentials({ ...client, clientSecret: secret, dpop: true }),
  'all with a login': () =>
    all(clientCredentials({ ...client, clientSecret: secret }), headers({ 'X-Tenant': secret })),
  refreshToken: () => refreshToken({ ...client, refreshToken: secret }),
  jwtBearer: () => jwtBearer({ ...client, assertion: secret }),
  tokenExchange: () => tokenExchange({ ...client, subjectToken: secret, actorToken: secret }),
  enterpriseManaged: () =>
    enterpriseManaged({
      ...client,
      clientSecret: secret,
      identityProvider: { issuer: 'https://idp.example.com', clientId: 'a', clientSecret: secret },
      subjectToken: secret,
    }),
  authorizationCode: () =>
    authorizationCode({
      ...client,
      clientSecret: secret,
      redirectUri: 'https://app.example.com/done',
      onAuthorizationUrl: (url) =>
        `https://app.example.com/done?code=${secret}&state=${url.searchParams.get('state')}`,
    }),
}

/** Everything that a request tells a server, as the server may repeat it. */
async function repeated(request: Request): Promise<string> {
  const text = await request.text()
  return [
    request.url,
    ...request.headers.values(),
    text,
    ...new URLSearchParams(text).values(),
  ].join(' ')
}

const tokens = {
  access_token: issued,
  token_type: 'Bearer',
  expires_in: 3600,
  refresh_token: `${issued}r`,
}

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
/** A grant whose secret part is its signature. */
const grant = [
  encode({ alg: 'ES256', typ: 'oauth-id-jag+jwt' }),
  encode({ aud: issuer, exp: 9_999_999_999 }),
  issued,
].join('.')

/** How the authorization server answers token requests. */
const answers: Record<string, (request: Request) => Promise<Response>> = {
  'a token': async () => Response.json(tokens),
  'a grant for another server': async () =>
    Response.json({
      ...tokens,
      access_token: grant,
      token_type: 'N_A',
      issued_token_type: 'urn:ietf:params:oauth:token-type:id-jag',
    }),
  'an error that repeats the request': async (request) =>
    Response.json(
      { error: 'invalid_grant', error_description: `no: ${await repeated(request)}` },
      { status: 400 },
    ),
  'a challenge that repeats the request': async (request) =>
    new Response(null, {
      status: 401,
      headers: { 'WWW-Authenticate': `Basic realm="${(await repeated(request)).slice(0, 4000)}"` },
    }),
  'a broken answer': async () => new Response(`{"access_token":"${issued}`),
  'a token with a line break': async () =>
    Response.json({ ...tokens, access_token: `${issued}\n${issued}` }),
  'an error of the connection that repeats the request': async (request) => {
    throw new TypeError(`fetch failed: ${await repeated(request)}`)
  },
}

/** Servers by name only, of which all but the metadata is hostile. */
function hostileFetch(answer: (request: Request) => Promise<Response>): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init)
    const { origin, pathname, href } = new URL(request.url)
    if (pathname.startsWith('/.well-known/oauth-protected-resource')) {
      return Response.json({ resource, authorization_servers: [issuer] })
    }
    if (pathname.startsWith('/.well-known/')) {
      return Response.json({
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        revocation_endpoint: `${origin}/revoke`,
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['client_secret_basic'],
      })
    }
    if (pathname !== '/mcp') return answer(request)
    const echo = `${href} ${request.headers.get('authorization')}`.replace(/["\\]/g, '')
    const challenge = `Bearer error="invalid_token", error_description="${echo}"`
    return new Response(echo, { status: 401, headers: { 'WWW-Authenticate': challenge } })
  }
}

beforeEach(() => {
  vi.spyOn(dns, 'lookup').mockResolvedValue([{ address: '93.184.216.34', family: 4 }] as never)
})

const canaries = [secret, issued, keyLine]
const spellings = canaries.flatMap((canary) =>
  ['utf8', 'hex', 'base64', 'base64url'].flatMap((encoding) => {
    const text = Buffer.from(canary).toString(encoding as BufferEncoding)
    return encoding === 'hex' ? [text, text.toUpperCase()] : [text.replace(/.?=+$/, '')]
  }),
)

const cases = [
  ...Object.entries(local).map(([name, make]) => [name, 'nobody asked', make, answers['a token']]),
  ...Object.entries(remote).flatMap(([name, make]) =>
    Object.entries(answers).map(([what, answer]) => [name, what, make, answer]),
  ),
] as [
  string,
  string,
  () => CredentialProvider | CredentialSelector,
  (request: Request) => Promise<Response>,
][]

test.each(cases)(
  'advisories CVE-2026-41495 and CVE-2026-44653: %s shows no secret to a log, with %s',
  async (_name, _what, make, answer) => {
    const shown: unknown[] = []
    const note = (value: unknown) => void shown.push(value)
    subscribe('mcp-credentials', note)
    try {
      const provider = make()
      const send = authorizedFetch(provider, {
        resource,
        store: memoryStore(),
        fetch: hostileFetch(answer),
        onEvent: note,
      })
      const call = () => send(resource, { method: 'POST', body: '{}' }).then(note, note)
      await call()
      await call()
      const manager = 'select' in provider ? undefined : send.manager
      shown.push(provider, send, manager, manager?.current(), `${String(manager?.current())}`)
      await send.login().then(note, note)
      await send.logout().then(note, note)
      await send.close()
    } finally {
      unsubscribe('mcp-credentials', note)
    }
    // The answer of the MCP server belongs to the caller, whatever the server wrote into it.
    const ours = shown.filter((value) => !(value instanceof Response))
    expect(ours.length).toBeGreaterThan(6)
    const errors = ours.filter((value) => value instanceof Error)
    const text = [
      inspect(ours, { depth: 20, showHidden: true }),
      JSON.stringify(ours, (_key, value: unknown) => (typeof value === 'function' ? null : value)),
      ...errors.map((error) => `${error.message} ${error.stack} ${inspect(error.cause)}`),
    ].join('\n')
    for (const spelling of spellings) expect(text.includes(spelling)).toBe(false)
  },
)
