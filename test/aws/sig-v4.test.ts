import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto'
import { inspect } from 'node:util'
import { SignatureV4 } from '@smithy/signature-v4'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { type AwsSigV4Options, awsSigV4 } from '../../src/aws/index.ts'
import { authorize, loadSigner } from '../../src/aws/signer.ts'
import type { Credential } from '../../src/credential.ts'
import { ConfigurationError, CredentialError } from '../../src/errors.ts'
import { TokenManager, transportPortOf } from '../../src/manager/token-manager.ts'
import { Content, Outgoing } from '../../src/transport/outgoing.ts'

// The example keys and the date of AWS's own test suite for signatures (aws-sig-v4-test-suite).
const accessKeyId = 'AKIDEXAMPLE'
const secretAccessKey = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'
const keys = { accessKeyId, secretAccessKey }
const sessionToken = `AQoDYXdzEPT//////////wEXAMPLE${'tc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLW'.repeat(4)}==`
const date = '20150830T123600Z'
const now = Date.parse('2015-08-30T12:36:00Z')
const region = 'us-east-1'
const service = 'service'
const host = 'example.amazonaws.com'
const resource = `https://${host}/`

interface Sent {
  readonly method?: string
  readonly url?: string
  readonly headers?: Record<string, string>
  readonly body?: BodyInit
  readonly now?: number
}

function outgoing(sent: Sent): Outgoing {
  return new Outgoing(
    sent.method ?? 'POST',
    new URL(sent.url ?? resource),
    new Headers(sent.headers),
    new Content(sent.body),
    1,
    sent.now ?? now,
  )
}

const acquire = (options: AwsSigV4Options, server = resource): Promise<Credential> =>
  new TokenManager(awsSigV4(options), { resource: server, now: () => now }).credential()

async function signed(sent: Sent, options: AwsSigV4Options = {}): Promise<Headers> {
  const credential = await acquire({ region, service, credentials: keys, ...options })
  const request = outgoing(sent)
  await credential.apply(request)
  return request.headers
}

const sha256 = (content: string | Uint8Array) => createHash('sha256').update(content).digest('hex')

const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )

/** Written from AWS's documentation, step by step. */
function reference(sent: Sent, headers: Record<string, string>, names: readonly string[]): string {
  const { method = 'POST', body } = sent
  const url = new URL(sent.url ?? resource)
  const content = typeof body === 'string' || body instanceof Uint8Array ? body : ''
  const query = [...url.searchParams].map(([name, value]) => `${encode(name)}=${encode(value)}`)
  const canonicalRequest = [
    method,
    url.pathname.split('/').map(encode).join('/'),
    query.sort().join('&'),
    ...names.map((name) => `${name}:${headers[name]?.trim().replace(/ +/g, ' ')}`),
    '',
    names.join(';'),
    sha256(content),
  ].join('\n')
  const day = headers['x-amz-date']?.slice(0, 8) ?? ''
  const scope = [day, region, service, 'aws4_request']
  const text = [
    'AWS4-HMAC-SHA256',
    headers['x-amz-date'],
    scope.join('/'),
    sha256(canonicalRequest),
  ].join('\n')
  const key = scope.reduce<string | Buffer>(
    (outer, part) => createHmac('sha256', outer).update(part).digest(),
    `AWS4${secretAccessKey}`,
  )
  const signature = createHmac('sha256', key).update(text).digest('hex')
  return `AWS4-HMAC-SHA256 Credential=${accessKeyId}/${scope.join('/')}, SignedHeaders=${names.join(';')}, Signature=${signature}`
}

/** What the SDK's signer wants for hashes and, with a secret, for HMACs. */
class Sha256 {
  readonly #hash: Hash | Hmac
  constructor(secret?: Uint8Array | string) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', secret)
  }
  update(chunk: Uint8Array | string): void {
    this.#hash.update(chunk)
  }
  digest(): Promise<Uint8Array> {
    return Promise.resolve(new Uint8Array(this.#hash.digest()))
  }
}

/** The same by the AWS SDK's own signer. */
async function signedBySdk(sent: Sent, names: readonly string[], token?: string): Promise<string> {
  const url = new URL(sent.url ?? resource)
  const query: Record<string, string[]> = {}
  for (const [name, value] of url.searchParams) {
    query[name] = [...(query[name] ?? []), value]
  }
  const signer = new SignatureV4({
    credentials: { ...keys, ...(token === undefined ? {} : { sessionToken: token }) },
    region,
    service,
    sha256: Sha256 as never,
  })
  const { headers } = await signer.sign(
    {
      method: sent.method ?? 'POST',
      protocol: 'https:',
      hostname: url.hostname,
      path: url.pathname,
      query,
      headers: {
        host: url.host,
        ...Object.fromEntries(
          Object.entries(sent.headers ?? {}).filter(([name]) => names.includes(name.toLowerCase())),
        ),
      },
      body: sent.body,
    },
    { signingDate: new Date(now) },
  )
  return headers['authorization'] ?? ''
}

afterEach(() => {
  vi.unstubAllEnvs()
})

describe("AWS's test suite", () => {
  const cases = [
    {
      name: 'get-vanilla',
      signature: '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31',
    },
    {
      name: 'post-vanilla',
      method: 'POST',
      signature: '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b',
    },
    {
      name: 'get-vanilla-query-order-key-case',
      path: '/?Param2=value2&Param1=value1',
      signature: 'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
    },
    {
      name: 'get-vanilla-utf8-query',
      path: '/?ሴ=bar',
      signature: '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
    },
    {
      name: 'get-unreserved',
      path: '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
      signature: '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
    },
    {
      name: 'normalize-path/get-slashes',
      path: '//example//',
      signature: '9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84',
    },
    {
      name: 'get-header-value-trim',
      headers: { 'My-Header1': ' value1', 'My-Header2': ' "a   b   c"' },
      signature: 'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    },
    {
      name: 'post-header-key-sort',
      method: 'POST',
      headers: { 'My-Header1': 'value1' },
      signature: 'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
    },
    {
      name: 'post-x-www-form-urlencoded',
      method: 'POST',
      headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
      body: 'Param1=value1',
      signature: 'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    },
    {
      name: 'post-sts-token/post-sts-header-before',
      method: 'POST',
      headers: {
        'X-Amz-Security-Token':
          'AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==',
      },
      signature: '85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead',
    },
  ]

  for (const { name, method = 'GET', path = '/', headers, body, signature } of cases) {
    it(`is met in ${name}`, async () => {
      const value = await authorize(await loadSigner(), {
        method,
        url: new URL(`https://${host}${path}`),
        headers: new Headers({ ...headers, 'X-Amz-Date': date }),
        ...(body === undefined ? {} : { body }),
        keys,
        scope: { region, service },
        cache: new Map(),
      })

      expect(value).toContain(`Signature=${signature}`)
    })
  }
})

describe('awsSigV4()', () => {
  const usual = ['host', 'x-amz-content-sha256', 'x-amz-date']
  const json = { 'content-type': 'application/json' }
  const cases: { title: string; sent: Sent; names: readonly string[] }[] = [
    { title: 'a request without a body', sent: { method: 'GET' }, names: usual },
    {
      title: 'a body of text beyond ASCII',
      sent: { headers: json, body: '{"text":"10 € 𝄞"}' },
      names: ['content-type', ...usual],
    },
    { title: 'a body of bytes', sent: { body: Uint8Array.of(0, 255, 195, 40) }, names: usual },
    {
      title: 'a path that is percent-encoded already',
      sent: {
        url: `https://${host}/runtimes/arn%3Aaws%3Abedrock-agentcore%3Aus-east-1%3A1%3Aruntime%2Fx/invocations?qualifier=DEFAULT`,
      },
      names: usual,
    },
    {
      title: 'a path with characters that need no encoding in a URL',
      sent: { url: `https://${host}/a:b@c,d;e=f+g!h'i(j)*k/ü` },
      names: usual,
    },
    {
      title: 'a query that is in no order, repeats itself and needs encoding',
      sent: { url: `https://${host}/?b=2&a=%2F%20%C3%BC&b=1&B=0&c&d=!'()*~` },
      names: usual,
    },
    {
      title: 'a port that is not the default',
      sent: { url: 'https://127.0.0.1:8443/mcp' },
      names: usual,
    },
    {
      title: 'the headers of MCP and of AWS, and no others',
      sent: {
        headers: {
          ...json,
          Accept: 'application/json, text/event-stream',
          'Accept-Encoding': 'gzip',
          'Mcp-Session-Id': '7  f',
          'MCP-Protocol-Version': '2025-11-25',
          'User-Agent': 'node',
          Traceparent: '00-1-2-01',
          'X-Amzn-Trace-Id': 'Root=1',
          'X-Amzn-Bedrock-AgentCore-Runtime-Session-Id': 's1',
          'X-Tenant-Id': 'acme',
        },
        body: '{}',
      },
      names: [
        'content-type',
        'host',
        'mcp-protocol-version',
        'mcp-session-id',
        'x-amz-content-sha256',
        'x-amz-date',
        'x-amzn-bedrock-agentcore-runtime-session-id',
      ],
    },
  ]

  for (const { title, sent, names } of cases) {
    it(`signs ${title} as AWS's documentation and its SDK do`, async () => {
      const headers = await signed(sent)

      const all = { ...Object.fromEntries(headers), host: new URL(sent.url ?? resource).host }
      expect(headers.get('Authorization')).toBe(reference(sent, all, names))
      expect(headers.get('Authorization')).toBe(await signedBySdk(sent, names))
    })
  }

  it('sends and signs the session token of temporary credentials', async () => {
    const sent = { headers: json, body: '{}' }

    const headers = await signed(sent, { credentials: { ...keys, sessionToken } })

    expect(headers.get('X-Amz-Security-Token')).toBe(sessionToken)
    expect(headers.get('X-Amz-Content-Sha256')).toBe(sha256('{}'))
    expect(headers.get('Authorization')).toContain('x-amz-date;x-amz-security-token,')
    expect(headers.get('Authorization')).toBe(
      await signedBySdk(sent, ['content-type'], sessionToken),
    )
  })

  it('takes away a session token that is not its own', async () => {
    const headers = await signed({ headers: { 'X-Amz-Security-Token': 'old' } })

    expect(headers.has('X-Amz-Security-Token')).toBe(false)
    expect(headers.get('Authorization')).not.toContain('security-token')
  })

  it("signs with the server's time, over midnight too", async () => {
    const headers = await signed({ now: Date.parse('2016-01-01T00:00:00.500Z') })

    expect(headers.get('X-Amz-Date')).toBe('20160101T000000Z')
    expect(headers.get('Authorization')).toContain('/20160101/us-east-1/')
    const all = { ...Object.fromEntries(headers), host }
    expect(headers.get('Authorization')).toBe(reference({}, all, usual))
  })

  it('refuses a body whose bytes nobody knows', async () => {
    const credential = await acquire({ region, service, credentials: keys })
    const request = outgoing({ body: new Blob(['{}']) })

    await expect(credential.apply(request)).rejects.toMatchObject({
      code: 'unsignable_body',
      remedy: 'Send a string or bytes instead.',
    })
    expect(request.headers.has('Authorization')).toBe(false)
  })

  it('says how to install aws4fetch when it is missing', async () => {
    const missing = loadSigner(() => Promise.reject(new Error('Cannot find package')))

    await expect(missing).rejects.toThrow(ConfigurationError)
    await expect(missing).rejects.toThrow('npm install aws4fetch')
  })
})

describe('the scope', () => {
  const scopes = [
    ['bedrock-agentcore.us-west-2.amazonaws.com', 'us-west-2/bedrock-agentcore'],
    ['gw-1.gateway.bedrock-agentcore.eu-central-1.amazonaws.com', 'eu-central-1/bedrock-agentcore'],
    ['vpce-1.bedrock-agentcore.us-east-1.vpce.amazonaws.com', 'us-east-1/bedrock-agentcore'],
    ['aws-mcp.us-east-1.api.aws', 'us-east-1/aws-mcp'],
    ['a1b2.execute-api.us-gov-west-1.amazonaws.com', 'us-gov-west-1/execute-api'],
    ['a1b2.execute-api.cn-north-1.amazonaws.com.cn', 'cn-north-1/execute-api'],
    ['abc.lambda-url.ap-southeast-2.on.aws', 'ap-southeast-2/lambda'],
    ['bedrock-agentcore-fips.us-east-1.amazonaws.com', 'us-east-1/bedrock-agentcore'],
  ] as const

  for (const [name, scope] of scopes) {
    it(`of ${name} is ${scope}`, async () => {
      const credential = await acquire({ credentials: keys }, `https://${name}/mcp`)
      const request = outgoing({ url: `https://${name}/mcp` })

      await credential.apply(request)

      expect(request.headers.get('Authorization')).toContain(`/20150830/${scope}/aws4_request,`)
    })
  }

  it('that is written down wins over the host name', async () => {
    const headers = await signed({}, { region: 'eu-west-1', service: 'lambda' })

    expect(headers.get('Authorization')).toContain('/eu-west-1/lambda/aws4_request,')
  })

  it('is completed from the host name where only half of it is written down', async () => {
    const credential = await acquire(
      { service: 'my-service', credentials: keys },
      'https://bedrock-agentcore.us-west-2.amazonaws.com/',
    )
    const request = outgoing({})
    await credential.apply(request)

    expect(request.headers.get('Authorization')).toContain('/us-west-2/my-service/aws4_request,')
  })

  for (const name of [
    'mcp.example.com',
    'localhost',
    'amazonaws.com',
    'bedrock-agentcore.amazonaws.com',
    'bedrock-agentcore.us-west-2.amazonaws.com.evil.example',
    'bedrock-agentcore.us-west-2.evilamazonaws.com',
    'x.other.us-west-2.on.aws',
    'my_service.us-west-2.amazonaws.com',
  ]) {
    it(`is not guessed for ${name}`, async () => {
      const acquired = acquire({ credentials: keys }, `https://${name}/`)

      await expect(acquired).rejects.toThrow(ConfigurationError)
      await expect(acquired).rejects.toThrow(`the host name ${name} does not contain the region`)
    })
  }

  it('says that the service is missing when the region is known', async () => {
    await expect(acquire({ region, credentials: keys }, 'https://mcp.example.com')).rejects.toThrow(
      'awsSigV4.service',
    )
  })
})

describe('the credentials', () => {
  it('are read from the environment each time they are acquired', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', 'AKIDFIRST')
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey)
    vi.stubEnv('AWS_SESSION_TOKEN', '')
    const manager = new TokenManager(awsSigV4({ region, service }), { resource, now: () => now })
    const first = await manager.credential()
    vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId)
    vi.stubEnv('AWS_SESSION_TOKEN', sessionToken)
    transportPortOf(manager).rejected(first, {})

    const requests = [outgoing({}), outgoing({})] as const
    await first.apply(requests[0])
    await (await manager.credential()).apply(requests[1])

    expect(requests[0].headers.get('Authorization')).toContain('Credential=AKIDFIRST/')
    expect(requests[0].headers.has('X-Amz-Security-Token')).toBe(false)
    expect(requests[1].headers.get('Authorization')).toBe(await signedBySdk({}, [], sessionToken))
  })

  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY']) {
    it(`are missing without ${name}, and the error names it`, async () => {
      vi.stubEnv('AWS_ACCESS_KEY_ID', accessKeyId)
      vi.stubEnv('AWS_SECRET_ACCESS_KEY', secretAccessKey)
      vi.stubEnv(name, undefined)

      await expect(acquire({ region, service })).rejects.toMatchObject({
        code: 'secret_unavailable',
        message: expect.stringMatching(
          new RegExp(`variable ${name} is not set.*fromNodeProviderChain`),
        ),
      })
    })
  }

  it('of a function are renewed before they expire, with a forced refresh', async () => {
    let time = now
    const calls: unknown[] = []
    const provider = awsSigV4({
      region,
      service,
      credentials: async (options) => {
        calls.push(options)
        const expiration = new Date(time + 3_600_000)
        return { ...keys, accessKeyId: `ASIA${calls.length}`, sessionToken, expiration }
      },
    })
    const manager = new TokenManager(provider, { resource, now: () => time, random: () => 0 })
    const keyId = async () => {
      const request = outgoing({})
      await (await manager.credential()).apply(request)
      return /Credential=(\w+)/.exec(request.headers.get('Authorization') ?? '')?.[1]
    }

    expect(await keyId()).toBe('ASIA1')
    time += 3_299_000
    expect(await keyId()).toBe('ASIA1')
    expect(calls).toEqual([{}])
    time += 300_000
    expect(await keyId()).toBe('ASIA2')
    expect(calls).toEqual([{}, { forceRefresh: true }])
  })

  it('of a function without an expiry are kept', async () => {
    // The type is that of the AWS SDK's provider functions.
    const credentials = async (
      _properties?: Record<string, unknown>,
    ): Promise<{ accessKeyId: string; secretAccessKey: string; expiration?: Date }> => keys

    const credential = await acquire({ region, service, credentials })

    expect(credential.expiresAt).toBeUndefined()
  })

  const unusable: [string, unknown][] = [
    ['no credentials', undefined],
    ['no usable `accessKeyId`', { secretAccessKey }],
    ['no usable `accessKeyId`', { accessKeyId: secretAccessKey, secretAccessKey }],
    ['no usable `accessKeyId`', { accessKeyId: 'k'.repeat(40), secretAccessKey }],
    ['no usable `secretAccessKey`', { accessKeyId, secretAccessKey: `${secretAccessKey}\n` }],
    ['no usable `sessionToken`', { ...keys, sessionToken: '' }],
    ['an `expiration` that is not a valid Date', { ...keys, expiration: '2030-01-01' }],
    ['an `expiration` that is not a valid Date', { ...keys, expiration: new Date('?') }],
  ]
  for (const [what, value] of unusable) {
    it(`of a function are refused when it returns ${what}`, async () => {
      const acquired = acquire({ region, service, credentials: () => value as never })

      await expect(acquired).rejects.toMatchObject({
        code: 'invalid_response',
        message: expect.stringContaining(`returned ${what}`),
      })
      await expect(acquired).rejects.not.toThrow(secretAccessKey)
    })
  }

  const wrong: [string, unknown][] = [
    ['region', { region: '' }],
    ['region', { region: 'us-west-2/x' }],
    ['service', { service: 'bedrock agentcore' }],
    ['service', { service: 1 }],
    ['regions', { regions: 'us-west-2' }],
    ['credentials.expiration', { credentials: { ...keys, expiration: new Date() } }],
    ['credentials.accessKeyId', { credentials: { ...keys, accessKeyId: secretAccessKey } }],
    ['credentials.accessKeyId', { credentials: { secretAccessKey } }],
    ['credentials.secretAccessKey', { credentials: { accessKeyId, secretAccessKey: ' x' } }],
    ['credentials.sessionToken', { credentials: { ...keys, sessionToken: '' } }],
    ['credentials', { credentials: secretAccessKey }],
  ]
  for (const [name, options] of wrong) {
    it(`and other options are checked at once: ${name} in ${Object.keys(options as object)}`, () => {
      let caught: unknown
      try {
        awsSigV4(options as AwsSigV4Options)
      } catch (error) {
        caught = error
      }

      expect(caught).toBeInstanceOf(ConfigurationError)
      expect(caught).toMatchObject({ option: `awsSigV4.${name}` })
      expect(inspect(caught)).not.toContain(secretAccessKey)
    })
  }

  it('cannot be seen in the provider, the credential or the request', async () => {
    const provider = awsSigV4({ region, service, credentials: { ...keys, sessionToken } })
    const credential = await new TokenManager(provider, { resource }).credential()
    const request = outgoing({ body: '{}' })
    await credential.apply(request)

    const shown = inspect([provider, credential, [...request.headers]], { depth: 9 })
    expect(shown).not.toContain(secretAccessKey)
  })
})

describe('the time', () => {
  const hour = 3_600_000
  const answer = (status: number, time: number | undefined, more: Record<string, string> = {}) => ({
    status,
    url: resource,
    headers: new Headers({
      ...more,
      ...(time === undefined ? {} : { Date: new Date(time).toUTCString() }),
    }),
  })

  async function afterAnswer(response: ReturnType<typeof answer>) {
    const credential = await acquire({ region, service, credentials: keys })
    const request = outgoing({})
    await credential.apply(request)
    const again = credential.observe?.(response, request)
    const next = outgoing({})
    await credential.apply(next)
    return { again, date: next.headers.get('X-Amz-Date') }
  }

  for (const status of [401, 403]) {
    it(`is corrected by a ${status} whose date is an hour off`, async () => {
      expect(await afterAnswer(answer(status, now + hour))).toEqual({
        again: 'resend',
        date: '20150830T133600Z',
      })
      expect(await afterAnswer(answer(status, now - hour))).toEqual({
        again: 'resend',
        date: '20150830T113600Z',
      })
    })
  }

  const irrelevant = [
    ['a success', answer(200, now + hour)],
    ['a refusal within a minute', answer(403, now + 59_000)],
    ['a refusal without a date', answer(403, undefined)],
    ['a refusal with a date that is none', answer(403, Number.NaN)],
    ['a refusal out of a cache', answer(403, now + hour, { Age: '3600' })],
    ['a refusal that is two days off', answer(403, now + 48 * hour)],
  ] as const
  for (const [title, response] of irrelevant) {
    it(`is not corrected by ${title}`, async () => {
      expect(await afterAnswer(response)).toEqual({ again: undefined, date })
    })
  }

  it('is corrected for every request that was signed with the wrong one', async () => {
    const credential = await acquire({ region, service, credentials: keys })
    const requests = [outgoing({}), outgoing({})]
    for (const request of requests) await credential.apply(request)

    const again = requests.map((request) => credential.observe?.(answer(403, now + hour), request))

    expect(again).toEqual(['resend', 'resend'])
  })

  it('stays corrected when the credentials are renewed', async () => {
    const provider = awsSigV4({ region, service, credentials: keys })
    const manager = new TokenManager(provider, { resource, now: () => now })
    const first = await manager.credential()
    const request = outgoing({})
    await first.apply(request)
    await first.observe?.(answer(403, now + hour), request)
    transportPortOf(manager).rejected(first, {})

    const next = outgoing({})
    await (await manager.credential()).apply(next)

    expect(next.headers.get('X-Amz-Date')).toBe('20150830T133600Z')
  })
})

it('leaves the message of a failing function to the manager, which cleans it', async () => {
  const provider = awsSigV4({
    region,
    service,
    credentials: () => Promise.reject(new Error(`refused ${secretAccessKey}`)),
  })

  const error = await new TokenManager(provider, { resource }).credential().catch((e: unknown) => e)

  expect(error).toBeInstanceOf(CredentialError)
  expect(inspect(error)).not.toContain(secretAccessKey)
})
