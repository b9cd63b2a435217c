import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { workloadIdentity } from '../../src/auto/index.ts'
import { makeWorkload, type WorkloadOptions } from '../../src/auto/workload.ts'
import { authorizedFetch, type CredentialError } from '../../src/index.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'workload-'))
})
afterEach(async () => {
  vi.unstubAllGlobals()
  await rm(folder, { recursive: true })
})

const noLibrary = () => Promise.reject(new Error('not installed'))

function jwtFor(audience: unknown): string {
  const payload = btoa(JSON.stringify({ sub: 'job', aud: audience })).replace(/=+$/, '')
  return `e30.${payload}.canary`
}

async function setUp() {
  const world = await oauthWorld({ token: (_params, count) => ({ body: tokenAnswer(count) }) })
  const path = join(folder, 'token')
  const make = (more: Partial<WorkloadOptions> = {}, env: Record<string, string> = {}) =>
    makeWorkload(
      { issuer: world.issuer, clientId: 'job', tokenFile: path, ...more },
      env,
      noLibrary,
    )
  const call = (more?: Partial<WorkloadOptions>, env?: Record<string, string>) =>
    authorizedFetch(make(more, env), { resource: world.url })(world.url)
  return { world, path, make, call }
}

describe('a projected token', () => {
  test.each([
    ['jwt_bearer', 'urn:ietf:params:oauth:grant-type:jwt-bearer', 'assertion'],
    ['token_exchange', 'urn:ietf:params:oauth:grant-type:token-exchange', 'subject_token'],
    ['client_credentials', 'client_credentials', 'client_assertion'],
  ] as const)('is sent to the issuer with the grant %s', async (grant, type, member) => {
    const { world, path, call } = await setUp()
    const token = jwtFor(['other', world.issuer])
    await writeFile(path, `${token}\n`)
    expect((await call({ grant })).status).toBe(200)
    expect(world.tokenRequests()).toMatchObject([{ grant_type: type, [member]: token }])
  })

  test.each([
    ['another audience', jwtFor('sts.amazonaws.com')],
    ['no audience', jwtFor(undefined)],
    ['no form of a JWT', 'canary'],
  ])('with %s is not sent', async (_name, token) => {
    const { world, path, call } = await setUp()
    await writeFile(path, token)
    const error = (await call().catch((thrown: unknown) => thrown)) as CredentialError
    expect(error.code).toBe('secret_unavailable')
    expect(error.message).not.toContain('canary')
    expect(world.tokenRequests()).toEqual([])
  })

  test('may have the audience that the options name', async () => {
    const { world, path, call } = await setUp()
    await writeFile(path, jwtFor('api://mcp'))
    expect((await call({ audience: 'api://mcp' })).status).toBe(200)
    expect(world.tokenRequests()).toHaveLength(1)
  })
})

describe('the platforms', () => {
  test('are found by what the environment says', async () => {
    const { path, make } = await setUp()
    const other = join(folder, 'other')
    expect(await make().announced()).toBeUndefined()
    await writeFile(other, 'x')
    const files = { AWS_WEB_IDENTITY_TOKEN_FILE: other }
    expect(await make({}, files).announced()).toBe('AWS web identity')
    const azure = { ...files, AZURE_FEDERATED_TOKEN_FILE: other }
    expect(await make({}, azure).announced()).toBe('Azure workload identity')
    await writeFile(path, 'x')
    expect(await make({}, azure).announced()).toBe('a projected token')
    const github = {
      ACTIONS_ID_TOKEN_REQUEST_URL: 'https://x',
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'y',
    }
    expect(await make({}, { ...azure, ...github }).announced()).toBe('GitHub Actions')
  })

  test('GitHub Actions is asked for a token with the audience', async () => {
    const { world, call } = await setUp()
    const asked: [string, unknown][] = []
    const real = fetch
    vi.stubGlobal('fetch', async (input: string | URL, init?: RequestInit) => {
      if (!String(input).startsWith('https://actions.example.com/')) return real(input, init)
      asked.push([String(input), new Headers(init?.headers).get('Authorization')])
      return Response.json({ value: jwtFor(world.issuer) })
    })
    const env = {
      ACTIONS_ID_TOKEN_REQUEST_URL: 'https://actions.example.com/token?api-version=2',
      ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'canary-request',
    }
    expect((await call({}, env)).status).toBe(200)
    const audience = encodeURIComponent(world.issuer)
    const url = `https://actions.example.com/token?api-version=2&audience=${audience}`
    expect(asked).toEqual([[url, 'Bearer canary-request']])
    expect(JSON.stringify(world.tokenRequests())).not.toContain('canary-request')
  })

  test.each([
    ['a status', () => new Response('canary', { status: 500 })],
    ['something else', () => Response.json({ value: 1 })],
    ['no JSON', () => new Response('canary')],
  ])(
    'GitHub Actions that answers with %s leads to an error without its answer',
    async (_name, answer) => {
      const { make, world } = await setUp()
      vi.stubGlobal('fetch', async () => answer())
      const env = {
        ACTIONS_ID_TOKEN_REQUEST_URL: 'https://actions.example.com/token',
        ACTIONS_ID_TOKEN_REQUEST_TOKEN: 'canary-request',
      }
      const { issuer } = world
      const metadata = { issuer, token_endpoint: `${issuer}/token` }
      const provider = make({ metadata }, env)
      const manager = authorizedFetch(provider, { resource: world.url, fetch }).manager
      const error = (await manager
        .credential()
        .catch((thrown: unknown) => thrown)) as CredentialError
      expect(error.code).toBe('secret_unavailable')
      expect(error.message).not.toContain('canary')
    },
  )

  test('that are none lead to an error with what to do', async () => {
    const { call, world } = await setUp()
    await expect(call()).rejects.toMatchObject({
      code: 'secret_unavailable',
      message: expect.stringContaining('id-token: write'),
    })
    expect(world.tokenRequests()).toEqual([])
  })
})

describe('the library of a cloud', () => {
  const url = 'https://mcp.example.com/mcp'
  const entra = 'https://login.microsoftonline.com/tenant/v2.0'

  async function authorization(options: WorkloadOptions, module: object) {
    const provider = makeWorkload(options, {}, async () => module)
    const sent: (string | null)[] = []
    const send = async (_input: string | URL, init?: RequestInit) => {
      sent.push(new Headers(init?.headers).get('Authorization'))
      return new Response()
    }
    await authorizedFetch(provider, { resource: url, fetch: send })(url)
    return { sent, announced: await provider.announced() }
  }

  test('of Azure gets the token for the audience', async () => {
    const scopes: unknown[] = []
    class DefaultAzureCredential {
      async getToken(scope: unknown) {
        scopes.push(scope)
        return { token: 'azure', expiresOnTimestamp: Date.now() + 3_600_000 }
      }
    }
    const options = { issuer: entra, audience: 'api://mcp' }
    const { sent, announced } = await authorization(options, { DefaultAzureCredential })
    expect(sent).toEqual(['Bearer azure'])
    expect(scopes).toEqual(['api://mcp/.default'])
    expect(announced).toBe('Azure, by @azure/identity')
  })

  test('of Google gets an ID token for the audience', async () => {
    class GoogleAuth {
      async getIdTokenClient(audience: string) {
        return { getRequestHeaders: async () => ({ Authorization: `Bearer ${audience}` }) }
      }
    }
    const options = { issuer: 'https://accounts.google.com', audience: 'https://run.example.com' }
    const { sent } = await authorization(options, { GoogleAuth })
    expect(sent).toEqual(['Bearer https://run.example.com'])
  })

  test('that is not installed announces nothing', async () => {
    const provider = makeWorkload({ issuer: entra }, {}, noLibrary)
    expect(await provider.announced()).toBeUndefined()
  })
})

describe('the options of workloadIdentity()', () => {
  test.each([
    [{ issuer: 'https://login.example.com' }, 'workloadIdentity.clientId'],
    [
      { issuer: 'https://login.example.com', clientId: 'x', grant: 'password' },
      'workloadIdentity.grant',
    ],
    [{ clientId: 'x' }, 'jwtBearer.issuer'],
    [{ issuer: 'https://login.example.com', clientId: 'x', secret: 'y' }, 'jwtBearer.secret'],
  ])('%j is refused', (options, option) => {
    expect(() => workloadIdentity(options as WorkloadOptions)).toThrow(
      expect.objectContaining({ code: 'configuration', option }),
    )
  })
})
