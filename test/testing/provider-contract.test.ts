import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it, onTestFinished, test, vi } from 'vitest'
import { awsSigV4 } from '../../src/aws/index.ts'
import {
  all,
  apiKey,
  basic,
  bearer,
  type Credential,
  type CredentialProvider,
  custom,
  firstAvailable,
  fromTokenCredential,
  headers,
  hmac,
  httpSignature,
  jwt,
  rotating,
} from '../../src/index.ts'
import { authorizationCode, clientCredentials, refreshToken } from '../../src/oauth/index.ts'
import { acquireContext, providerContract, testServers } from '../../src/testing/index.ts'

const secret = 'cAnArY-'.padEnd(64, 's')
const { privateKey } = generateKeyPairSync('ed25519')
const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()

const keys = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: secret }

const providers: readonly [string, () => CredentialProvider][] = [
  ['apiKey', () => apiKey({ value: secret })],
  ['apiKey in the query', () => apiKey({ value: secret, query: 'key' })],
  ['bearer', () => bearer(async () => secret)],
  ['basic', () => basic({ username: 'agent', password: secret })],
  ['headers', () => headers({ 'X-Tenant': 'acme', 'X-Session': secret })],
  ['hmac', () => hmac({ secret })],
  ['httpSignature', () => httpSignature({ key, keyId: 'key-1', algorithm: 'ed25519' })],
  ['jwt', () => jwt({ algorithm: 'HS256', secret, expiresIn: 60 })],
  ['all', () => all(bearer(secret), headers({ 'X-Tenant': 'acme' }))],
  [
    'firstAvailable',
    () =>
      firstAvailable(
        bearer(() => Promise.reject()),
        apiKey({ value: secret }),
      ),
  ],
  ['custom', () => custom({ acquire: async () => bearer(secret).acquire(acquireContext()) })],
  [
    'fromTokenCredential',
    () => {
      const getToken = async () => ({ token: secret, expiresOnTimestamp: Date.now() + 3_600_000 })
      return fromTokenCredential({ getToken }, 'api://mcp/.default')
    },
  ],
  ['awsSigV4', () => awsSigV4({ region: 'eu-west-1', service: 'execute-api', credentials: keys })],
  ['rotating', () => rotating([bearer('other'), bearer(secret)])],
]

describe.each(providers)('%s', (_name, provider) => {
  for (const { name, run } of providerContract({ provider, secrets: [secret] })) test(name, run)
})

describe('with an authorization server', () => {
  let servers: Awaited<ReturnType<typeof testServers>>
  let granted: string
  beforeAll(async () => {
    servers = await testServers({ rotate: false })
    const { visit } = servers.authorizationServer
    const provider = authorizationCode({ clientId: 'agent', onAuthorizationUrl: visit })
    const { record } = await provider.acquire(acquireContext({ resource: servers.resource }))
    granted = String(record?.data['refreshToken'])
  })
  afterAll(() => servers.close())
  const issuer = () => servers.authorizationServer.issuer
  const providers: readonly [string, () => CredentialProvider][] = [
    [
      'clientCredentials',
      () => clientCredentials({ clientId: 'agent', clientSecret: secret, issuer: issuer() }),
    ],
    [
      'authorizationCode',
      () =>
        authorizationCode({
          clientId: 'agent',
          onAuthorizationUrl: servers.authorizationServer.visit,
        }),
    ],
    [
      'refreshToken',
      () => refreshToken({ clientId: 'agent', issuer: issuer(), refreshToken: granted }),
    ],
  ]
  describe.each(providers)('%s', (_name, provider) => {
    // The server has an address only when the tests run.
    const contract = () =>
      providerContract({ provider, context: { resource: servers.resource }, secrets: [secret] })
    const names = providerContract({ provider }).map(({ name }) => name)
    test.each(names)('%s', async (name) => {
      await contract()
        .find((one) => one.name === name)
        ?.run()
    })
  })
})

describe('providerContract', () => {
  const broken: readonly [string, Partial<CredentialProvider>, Partial<Credential>][] = [
    ['has a name, and traits within their limits', { name: '' }, {}],
    ['has a name, and traits within their limits', { alternatives: 0 }, {}],
    ['has a name, and traits within their limits', { maxResends: 9 }, {}],
    [
      'sets headers of its own, and leaves those of the transport',
      {},
      { apply: (request) => request.headers.delete('Mcp-Session-Id') },
    ],
    [
      'sets headers of its own, and leaves those of the transport',
      {},
      { apply: (request) => request.headers.set('Accept', '*/*') },
    ],
    [
      'sets headers of its own, and leaves those of the transport',
      {},
      {
        apply(request) {
          request.url = new URL('https://elsewhere.example.com/')
        },
      },
    ],
    [
      'gives moments in milliseconds since the epoch, with the expiry in the future',
      {},
      { expiresAt: 1_900_000_000 },
    ],
    [
      'gives moments in milliseconds since the epoch, with the expiry in the future',
      {},
      { expiresAt: Number.NaN },
    ],
    [
      'gives moments in milliseconds since the epoch, with the expiry in the future',
      {},
      { refreshAt: '2030-01-01' as never },
    ],
    [
      'gives moments in milliseconds since the epoch, with the expiry in the future',
      {},
      { expiresAt: 1_000_000_000_000 },
    ],
    ['shows no secret', {}, { token: secret } as object],
    [
      "restores its own record, and no other provider's",
      {},
      { record: { version: 1, provider: 'broken', data: {} } },
    ],
    [
      "restores its own record, and no other provider's",
      { restore: () => ({ apply: () => {} }) },
      {},
    ],
  ]
  it.each(broken)('%s: fails for %o with %o', async (name, traits, members) => {
    const provider = (): CredentialProvider => ({
      name: 'broken',
      acquire: async () => ({
        apply: (request) => request.headers.set('Authorization', 'Bearer x'),
        ...members,
      }),
      ...traits,
    })

    expect(await failing(provider)).toEqual([name])
  })

  it('fails for a provider that gives something else than a credential', async () => {
    const provider = () => ({ name: 'broken', acquire: async () => ({}) as Credential })
    expect(await failing(provider)).toContain('acquires again after its first credential')
  })

  it('fails for a provider that forgets its credential after the first acquisition', async () => {
    const provider = () => {
      let left = 1
      const acquire = async () => {
        left -= 1
        if (left < 0) throw new Error('there is no other')
        return { apply() {} }
      }
      return { name: 'broken', acquire }
    }
    const failed = await failing(provider)
    expect(failed).toContain('acquires again after its first credential')
    expect(failed).toContain('serves several acquisitions at the same time')
  })

  it('fails for a provider that sends before it may, or although it may not', async () => {
    const context = { fetch: async () => new Response('{}') }
    const provider = (): CredentialProvider => ({
      name: 'broken',
      async acquire({ commit, fetch }) {
        const committed = commit().catch(() => {})
        await fetch('https://login.example.com/token')
        await committed
        return { apply: ({ headers }) => headers.set('Authorization', 'Bearer x') }
      },
    })
    expect(await failing(provider, context)).toEqual([
      'waits for `commit` before it sends a single-use grant',
      'sends nothing more when `commit` fails',
    ])
  })

  it('fails for a provider that puts a secret into its errors', async () => {
    const context = { fetch: async () => new Response('{}') }
    const provider = (): CredentialProvider => ({
      name: 'broken',
      async acquire({ fetch }) {
        const { ok } = await fetch(`https://login.example.com/?key=${secret}`)
        if (!ok) throw new Error(`https://login.example.com/?key=${secret} failed`)
        return { apply: ({ headers }) => headers.set('Authorization', 'Bearer x') }
      },
    })
    expect(await failing(provider, context)).toEqual(['shows no secret when its requests fail'])
  })

  it('fails for a provider that goes on when nobody waits', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    const provider = (): CredentialProvider => ({
      name: 'broken',
      acquire: () => new Promise(() => {}),
    })
    const cases = providerContract({ provider })
    const running = cases.find(({ name }) => name === 'settles when its signal aborts')?.run()
    const outcome = expect(running).rejects.toThrow('must settle soon')

    await vi.advanceTimersByTimeAsync(5000)

    await outcome
  })

  it('never shows a secret in its own messages', async () => {
    const provider = () => ({
      name: 'broken',
      token: secret,
      acquire: async () => ({ apply() {} }),
    })
    const cases = providerContract({ provider, secrets: [secret] })
    const errors = await Promise.all(cases.map(({ run }) => run().catch((error) => String(error))))
    expect(errors.join()).toContain('shows the secret with the number 1')
    expect(errors.join()).not.toContain(secret)
  })
})

/** The names of the cases that this provider does not pass. */
async function failing(provider: () => CredentialProvider, context = {}): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of providerContract({ provider, context, secrets: [secret] })) {
    await run().catch(() => failed.push(name))
  }
  return failed
}
