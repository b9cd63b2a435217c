import { createHash, createHmac, randomBytes } from 'node:crypto'
import { inspect } from 'node:util'
import { Webhook } from 'standardwebhooks'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { Credential, CredentialProvider } from '../../src/credential.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { TokenManager, transportPortOf } from '../../src/manager/token-manager.ts'
import { type HmacOptions, hmac } from '../../src/providers/hmac.ts'
import type { HmacParts } from '../../src/providers/hmac-options.ts'
import { Content, Outgoing } from '../../src/transport/outgoing.ts'

const now = Date.parse('2026-01-01T00:00:00.999Z')
const timestamp = '1767225600'
const secret = 'correct horse battery staple'

interface Sent {
  readonly method?: string
  readonly url?: string
  readonly headers?: Record<string, string>
  readonly body?: BodyInit
  readonly attempt?: number
  readonly now?: number
}

function outgoing(sent: Sent): Outgoing {
  return new Outgoing(
    sent.method ?? 'POST',
    new URL(sent.url ?? 'https://mcp.example.com/mcp'),
    new Headers(sent.headers),
    new Content(sent.body),
    sent.attempt ?? 1,
    sent.now ?? now,
  )
}

const acquire = (provider: CredentialProvider): Promise<Credential> =>
  new TokenManager(provider, { resource: 'https://mcp.example.com/mcp' }).credential()

/** The headers of a request after it was signed. */
async function signed(options: HmacOptions, sent: Sent = {}): Promise<Headers> {
  const credential = await acquire(hmac(options))
  const request = outgoing(sent)
  await credential.apply(request)
  return request.headers
}

const signature = async (options: HmacOptions, sent: Sent = {}) =>
  (await signed(options, sent)).get('X-Signature')

const sha256 = (...chunks: (string | Uint8Array)[]) => {
  const digest = createHmac('sha256', secret)
  for (const chunk of chunks) digest.update(chunk)
  return digest.digest('hex')
}

/** As on a platform without Node's modules. */
function withoutNode(): void {
  vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never)
}

afterEach(() => {
  vi.restoreAllMocks()
})

// RFC 4231, sections 4.2 to 4.8, without the truncated case of 4.6.
const vectors = [
  {
    title: 'test case 1',
    key: '0b'.repeat(20),
    data: '4869205468657265',
    sha256: 'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
    sha384:
      'afd03944d84895626b0825f4ab46907f15f9dadbe4101ec682aa034c7cebc59cfaea9ea9076ede7f4af152e8b2fa9cb6',
    sha512:
      '87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cdedaa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854',
  },
  {
    title: 'test case 2',
    key: '4a656665',
    data: '7768617420646f2079612077616e7420666f72206e6f7468696e673f',
    sha256: '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
    sha384:
      'af45d2e376484031617f78d2b58a6b1b9c7ef464f5a01b47e42ec3736322445e8e2240ca5e69e2c78b3239ecfab21649',
    sha512:
      '164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea2505549758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737',
  },
  {
    title: 'test case 3',
    key: 'aa'.repeat(20),
    data: 'dd'.repeat(50),
    sha256: '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
    sha384:
      '88062608d3e6ad8a0aa2ace014c8a86f0aa635d947ac9febe83ef4e55966144b2a5ab39dc13814b94e3ab6e101a34f27',
    sha512:
      'fa73b0089d56a284efb0f0756c890be9b1b5dbdd8ee81a3655f83e33b2279d39bf3e848279a722c806b485a47e67c807b946a337bee8942674278859e13292fb',
  },
  {
    title: 'test case 4',
    key: '0102030405060708090a0b0c0d0e0f10111213141516171819',
    data: 'cd'.repeat(50),
    sha256: '82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b',
    sha384:
      '3e8a69b7783c25851933ab6290af6ca77a9981480850009cc5577c6e1f573b4e6801dd23c4a7d679ccf8a386c674cffb',
    sha512:
      'b0ba465637458c6990e5a8c5f61d4af7e576d97ff94b872de76f8050361ee3dba91ca5c11aa25eb4d679275cc5788063a5f19741120c4f2de2adebeb10a298dd',
  },
  {
    title: 'test case 6',
    key: 'aa'.repeat(131),
    data: Buffer.from('Test Using Larger Than Block-Size Key - Hash Key First').toString('hex'),
    sha256: '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
    sha384:
      '4ece084485813e9088d2c63a041bc5b44f9ef1012a2b588f3cd11f05033ac4c60c2ef6ab4030fe8296248df163f44952',
    sha512:
      '80b24263c7c1a3ebb71493c1dd7be8b49b46d1f41b4aeec1121b013783f8f3526b56d037e05f2598bd0fd2215d6a1e5295e64f73f63f0aec8b915a985d786598',
  },
  {
    title: 'test case 7',
    key: 'aa'.repeat(131),
    data: Buffer.from(
      'This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.',
    ).toString('hex'),
    sha256: '9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2',
    sha384:
      '6617178e941f020d351e2f254e8fd32c602420feb0b8fb9adccebb82461e99c5a678cc31e799176d3860e6110c46523e',
    sha512:
      'e37b6a775dc87dbaa4dfa9f96e5e3ffddebd71f8867289865df5a32d20cdc944b6022cac3c4982b10d5eeb55c3e4de15134676fb6de0446065c97440fa8c6a58',
  },
] as const

describe.each([
  ['with node:crypto', () => {}],
  ['with WebCrypto', withoutNode],
])('RFC 4231 %s', (_, setUp) => {
  for (const { title, key, data, ...expected } of vectors) {
    it(`yields the signatures of ${title}`, async () => {
      setUp()
      const options = {
        secret: key,
        secretEncoding: 'hex',
        message: '{body}',
        timestampHeader: false,
      } as const
      const body = Buffer.from(data, 'hex')

      const made = {
        sha256: await signature({ ...options, hash: 'sha256' }, { body }),
        sha384: await signature({ ...options, hash: 'sha384' }, { body }),
        sha512: await signature({ ...options, hash: 'sha512' }, { body }),
      }

      expect(made).toEqual(expected)
    })
  }
})

describe('the default scheme', () => {
  it('signs the time in whole seconds, a dot and the body', async () => {
    const headers = await signed({ secret }, { body: '{"a":1}' })

    expect(Object.fromEntries(headers)).toEqual({
      'x-timestamp': timestamp,
      'x-signature': sha256(`${timestamp}.{"a":1}`),
    })
  })

  it('has a stable format', async () => {
    // printf '1767225600.{"a":1}' | openssl dgst -sha256 -hmac 'correct horse battery staple'
    expect(await signature({ secret }, { body: '{"a":1}' })).toBe(
      'f9b3110dae8f911521c05e365798986bbfa98ea1393d2edc112df275801057d3',
    )
  })

  it('signs an empty body for a request without one', async () => {
    const none = await signature({ secret }, { method: 'GET' })
    const empty = await signature({ secret }, { body: '' })

    expect(none).toBe(sha256(`${timestamp}.`))
    expect(empty).toBe(none)
  })

  it('uses the time of the request, which is corrected to the server’s clock', async () => {
    const headers = await signed({ secret }, { now: 1_000_000_999 })

    expect(headers.get('X-Timestamp')).toBe('1000000')
  })

  it('signs synchronously on Node', async () => {
    const credential = await acquire(hmac({ secret }))
    const request = outgoing({ body: 'x' })

    expect(credential.apply(request)).toBeUndefined()
    expect(request.headers.get('X-Signature')).toBe(sha256(`${timestamp}.x`))
  })

  it('yields credentials that do not expire', async () => {
    expect((await acquire(hmac({ secret }))).expiresAt).toBeUndefined()
  })
})

describe('the signed body is the sent body, byte for byte', () => {
  const bytes = Uint8Array.from({ length: 256 }, (_, index) => index)

  for (const [title, body, expected] of [
    ['text of any script', '{"text":"Zoë €𝄞 日本"}', Buffer.from('{"text":"Zoë €𝄞 日本"}')],
    ['white space and key order', '{ "b" : 1,\r\n"a":2 }\n', '{ "b" : 1,\r\n"a":2 }\n'],
    ['bytes that are not UTF-8', bytes, bytes],
    ['a view into a larger buffer', bytes.subarray(100, 200), bytes.subarray(100, 200)],
    ['an ArrayBuffer', bytes.slice(128).buffer, bytes.slice(128)],
    ['form fields', new URLSearchParams({ a: 'ü &' }), 'a=%C3%BC+%26'],
    ['a lone surrogate, which is sent as U+FFFD', 'a\ud800b', 'a\ufffdb'],
  ] as const) {
    it(`for ${title}`, async () => {
      expect(await signature({ secret }, { body })).toBe(sha256(`${timestamp}.`, expected))
    })
  }

  it('does not read the body through a function that only signs its hash', async () => {
    const message = ({ bodySha256 }: HmacParts) => bodySha256
    const body = randomBytes(1000)

    expect(await signature({ secret, message }, { body })).toBe(
      sha256(createHash('sha256').update(body).digest('hex')),
    )
  })

  it.each([
    ['a stream', new Blob(['x']).stream()],
    ['a blob', new Blob(['x'])],
    ['a multipart form', new FormData()],
  ])('rejects %s, whose bytes are not known in advance', async (_, body) => {
    const credential = await acquire(hmac({ secret }))
    const url = 'https://mcp.example.com/mcp?token=query-secret'
    const request = outgoing({ url, body })

    const error = await Promise.resolve()
      .then(() => credential.apply(request))
      .catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({
      code: 'unsignable_body',
      retryable: false,
      remedy: 'Send a string or bytes instead.',
      resource: 'https://mcp.example.com/mcp',
    })
    expect(inspect(error)).not.toContain('secret')
    expect([...request.headers]).toEqual([])
  })
})

describe('each attempt', () => {
  it('is signed again, with its own time and nonce', async () => {
    const options = { secret, nonceHeader: 'X-Nonce', message: '{timestamp}.{nonce}.{body}' }
    const credential = await acquire(hmac(options))
    const attempts = [1, 2].map((attempt) =>
      outgoing({ body: 'x', attempt, now: now + (attempt - 1) * 5000 }),
    )

    for (const request of attempts) await credential.apply(request)

    const seen = attempts.map(({ headers }) => Object.fromEntries(headers))
    expect(seen.map((headers) => headers['x-timestamp'])).toEqual(['1767225600', '1767225605'])
    const nonces = seen.map((headers) => headers['x-nonce'] ?? '')
    expect(new Set(nonces).size).toBe(2)
    for (const nonce of nonces) expect(nonce).toMatch(/^[0-9a-f]{32}$/)
    expect(seen.map((headers) => headers['x-signature'])).toEqual([
      sha256(`1767225600.${nonces[0]}.x`),
      sha256(`1767225605.${nonces[1]}.x`),
    ])
  })

  it('replaces the headers of an earlier attempt', async () => {
    const credential = await acquire(hmac({ secret }))
    const headers = { 'X-Signature': 'old', 'X-Timestamp': '1' }
    const request = outgoing({ headers, body: 'x' })

    await credential.apply(request)

    expect(request.headers.get('X-Signature')).toBe(sha256(`${timestamp}.x`))
    expect(request.headers.get('X-Timestamp')).toBe(timestamp)
  })

  it('uses a rotated secret and key ID after the old ones were refused', async () => {
    let round = 0
    const provider = hmac({ secret: () => `secret-${round}`, keyId: () => `key-${round}` })
    const manager = new TokenManager(provider, { resource: 'https://mcp.example.com/mcp' })
    const first = await manager.credential()
    round = 1
    transportPortOf(manager).rejected(first, {})
    const request = outgoing({ body: 'x' })

    await (await manager.credential()).apply(request)

    expect(request.headers.get('X-Key-Id')).toBe('key-1')
    const expected = createHmac('sha256', 'secret-1').update(`${timestamp}.x`).digest('hex')
    expect(request.headers.get('X-Signature')).toBe(expected)
  })
})

describe('the options', () => {
  it('set the headers, the prefix and the key ID', async () => {
    const headers = await signed(
      {
        secret,
        signatureHeader: 'Authorization',
        timestampHeader: 'X-Date',
        prefix: 'HMAC ',
        keyId: 'agent-1',
        keyIdHeader: 'X-Client',
      },
      { body: 'x' },
    )

    expect(Object.fromEntries(headers)).toEqual({
      authorization: `HMAC ${sha256(`${timestamp}.x`)}`,
      'x-date': timestamp,
      'x-client': 'agent-1',
    })
  })

  it.each(['hex', 'base64', 'base64url'] as const)(
    'write the signature in %s',
    async (encoding) => {
      const expected = createHmac('sha512', secret).update(`${timestamp}.x`).digest(encoding)

      expect(await signature({ secret, encoding, hash: 'sha512' }, { body: 'x' })).toBe(expected)
    },
  )

  it.each([
    ['utf8', 'pä55wörd€', Buffer.from('pä55wörd€')],
    ['hex', '00FFa0', Buffer.from('00ffa0', 'hex')],
    ['base64', '+/8=', Buffer.from('fbff', 'hex')],
    ['base64', '+/8', Buffer.from('fbff', 'hex')],
    ['base64', 'whsec_+/8=', Buffer.from('fbff', 'hex')],
  ] as const)('read a secret in %s', async (secretEncoding, text, key) => {
    const expected = createHmac('sha256', key).update(`${timestamp}.x`).digest('hex')

    expect(await signature({ secret: text, secretEncoding }, { body: 'x' })).toBe(expected)
  })

  it('omit the time if the server does not expect it', async () => {
    const headers = await signed(
      { secret, message: '{body}', timestampHeader: false, prefix: 'sha256=' },
      { body: 'x' },
    )

    expect(Object.fromEntries(headers)).toEqual({ 'x-signature': `sha256=${sha256('x')}` })
  })

  it('sign every part of the request that a template names', async () => {
    const template =
      '{method} {host} {path} {query} {timestamp} {nonce} {header:X-Tenant-ID} {header:x-key-id} {header:x-none} {body-sha256} {body}'
    const headers = await signed(
      { secret, message: template, nonceHeader: 'X-Nonce', keyId: 'k1' },
      {
        method: 'DELETE',
        url: 'https://mcp.example.com:8443/a%20b/ü?x=1&y=%2F#part',
        headers: { 'x-tenant-id': 'acme' },
        body: 'body',
      },
    )

    const hash = createHash('sha256').update('body').digest('hex')
    const nonce = headers.get('X-Nonce')
    expect(headers.get('X-Signature')).toBe(
      sha256(
        `DELETE mcp.example.com:8443 /a%20b/%C3%BC x=1&y=%2F ${timestamp} ${nonce} acme k1  ${hash} body`,
      ),
    )
  })

  it('sign the lines of method-path-body', async () => {
    const url = 'https://mcp.example.com/mcp?tenant=acme'
    const made = await signature({ secret, scheme: 'method-path-body' }, { url, body: 'x' })

    expect(made).toBe(sha256(`POST\n/mcp\ntenant=acme\n${timestamp}\nx`))
  })

  it('sign the result of a function', async () => {
    const message = ({ method, header, body }: HmacParts) => [method, header('X-Tenant'), body]
    const body = Uint8Array.of(0, 255)
    const made = await signature({ secret, message }, { headers: { 'x-tenant': 'acme' }, body })

    expect(made).toBe(sha256('POSTacme', body))
  })

  it.each([
    ['a promise', async () => 'x', 'returned a value other than strings and bytes'],
    ['nothing', () => undefined, 'returned a value other than strings and bytes'],
    ['an array with a number', () => ['x', 1], 'returned a value other than strings and bytes'],
    [
      'an error',
      () => {
        throw new RangeError(secret)
      },
      'threw RangeError',
    ],
  ])(
    'reject %s from a function, with a message that quotes nothing',
    async (_, message, problem) => {
      const credential = await acquire(hmac({ secret, message: message as never }))

      const error = await Promise.resolve()
        .then(() => credential.apply(outgoing({ body: 'x' })))
        .catch((thrown: unknown) => thrown)

      expect(error).toMatchObject({ code: 'invalid_credential' })
      expect((error as Error).message).toContain(problem)
      expect(inspect(error, { depth: 9 })).not.toContain(secret)
    },
  )
})

describe('Standard Webhooks', () => {
  const key = randomBytes(32).toString('base64')
  const body = '{"text":"Zoë €"}'

  it.each([
    ['with the mark whsec_', `whsec_${key}`],
    ['as bare base64', key],
  ])('are verified by the official library, with the secret %s', async (_, own) => {
    const headers = await signed(
      { secret: own, scheme: 'standard-webhooks' },
      { body, now: Date.now() },
    )

    const verified = new Webhook(key).verify(body, Object.fromEntries(headers))

    expect(verified).toEqual({ text: 'Zoë €' })
    expect(headers.get('webhook-signature')).toMatch(/^v1,/)
    const altered = () => new Webhook(key).verify(`${body} `, Object.fromEntries(headers))
    expect(altered).toThrow('No matching signature')
  })

  it('have different defaults and nothing else', async () => {
    const headers = await signed(
      { secret: key, scheme: 'standard-webhooks', signatureHeader: 'X-Own', encoding: 'hex' },
      { body },
    )

    expect(headers.get('X-Own')).toMatch(/^v1,[0-9a-f]{64}$/)
    expect(headers.has('webhook-signature')).toBe(false)
  })
})

describe('WebCrypto', () => {
  const cases: readonly [string, HmacOptions][] = [
    ['the default scheme', { secret }],
    ['base64', { secret, encoding: 'base64', hash: 'sha384' }],
    ['base64url', { secret, encoding: 'base64url', hash: 'sha512' }],
    ['the hash of the body', { secret, message: '{timestamp} {body-sha256}' }],
    ['a key id', { secret, keyId: 'k1', message: '{timestamp}{header:x-key-id}{body}' }],
    ['a function', { secret, message: ({ bodySha256, body }) => [bodySha256, body, 'é'] }],
    ['a long secret', { secret: 'ü'.repeat(200) }],
  ]
  const bodies = [undefined, '', '{"text":"Zoë €"}', randomBytes(100_000)]

  it.each(cases)('produces the same signature as Node: %s', async (_, options) => {
    for (const body of bodies) {
      const sent = body === undefined ? {} : { body }
      const byNode = Object.fromEntries(await signed(options, sent))
      const subtleSign = vi.spyOn(crypto.subtle, 'sign')
      withoutNode()
      const byWebCrypto = Object.fromEntries(await signed(options, sent))
      expect(subtleSign).toHaveBeenCalledOnce()
      vi.restoreAllMocks()

      expect(byWebCrypto).toEqual(byNode)
    }
  })

  it('is also verified by the library of Standard Webhooks', async () => {
    withoutNode()
    const key = randomBytes(24).toString('base64')
    const options = { secret: `whsec_${key}`, scheme: 'standard-webhooks' } as const
    const headers = await signed(options, { body: '[1]', now: Date.now() })

    expect(new Webhook(key).verify('[1]', Object.fromEntries(headers))).toEqual([1])
  })

  it('imports the key once', async () => {
    withoutNode()
    const imports = vi.spyOn(crypto.subtle, 'importKey')
    const credential = await acquire(hmac({ secret }))

    for (const body of ['1', '2', '3']) await credential.apply(outgoing({ body }))

    expect(imports).toHaveBeenCalledOnce()
  })

  it('also rejects a stream', async () => {
    withoutNode()
    const credential = await acquire(hmac({ secret }))

    await expect(
      (async () => credential.apply(outgoing({ body: new Blob(['x']) })))(),
    ).rejects.toMatchObject({ code: 'unsignable_body' })
  })
})

describe('invalid options', () => {
  const nonceHeader = 'X-Nonce'

  const refused: readonly [string, unknown, string, RegExp][] = [
    ['no options', undefined, 'hmac', /pass an object/],
    ['an unknown option', { secret, algorithm: 'sha256' }, 'hmac.algorithm', /there is no option/],
    ['no secret', {}, 'hmac.secret', /is missing/],
    ['an empty secret', { secret: '' }, 'hmac.secret', /is empty/],
    [
      'an empty marked secret',
      { secret: 'whsec_', scheme: 'standard-webhooks' },
      'hmac.secret',
      /is empty/,
    ],
    [
      'a secret that is not hex',
      { secret: 'abc', secretEncoding: 'hex' },
      'hmac.secret',
      /not hex/,
    ],
    [
      'a secret that is not base64',
      { secret: 'a b=', secretEncoding: 'base64' },
      'hmac.secret',
      /not base64/,
    ],
    [
      'base64 of an impossible length',
      { secret: 'abcde', secretEncoding: 'base64' },
      'hmac.secret',
      /not base64/,
    ],
    [
      'an unknown scheme',
      { secret, scheme: 'toString' },
      'hmac.scheme',
      /one of timestamp-body, method/,
    ],
    ['an unknown hash', { secret, hash: 'md5' }, 'hmac.hash', /one of sha256, sha384, sha512/],
    ['an unknown encoding', { secret, encoding: 'utf8' }, 'hmac.encoding', /one of hex, base64/],
    [
      'an unknown secret encoding',
      { secret, secretEncoding: 'x' },
      'hmac.secretEncoding',
      /utf8, hex/,
    ],
    ['a line break in the prefix', { secret, prefix: 'v1=\r\nX: ' }, 'hmac.prefix', /line break/],
    ['a prefix that begins with a space', { secret, prefix: ' v1=' }, 'hmac.prefix', /white space/],
    ['a line break in the key id', { secret, keyId: 'a\nb' }, 'hmac.keyId', /line break/],
    ['an empty key id', { secret, keyId: '' }, 'hmac.keyId', /is empty/],
    ['a header for no key id', { secret, keyIdHeader: 'X-Id' }, 'hmac.keyId', /is missing/],
    [
      'a header name with a space',
      { secret, signatureHeader: 'X Sig' },
      'hmac.signatureHeader',
      /not a header name/,
    ],
    [
      'a header of the transport',
      { secret, timestampHeader: 'Mcp-Time' },
      'hmac.timestampHeader',
      /belongs to the transport/,
    ],
    ['a bad nonce header', { secret, nonceHeader: '' }, 'hmac.nonceHeader', /not a header name/],
    [
      'a bad key id header',
      { secret, keyId: 'k', keyIdHeader: 'Host' },
      'hmac.keyIdHeader',
      /belongs to the transport/,
    ],
    [
      'one header for time and signature',
      { secret, timestampHeader: 'x-signature' },
      'hmac.timestampHeader',
      /same header/,
    ],
    [
      'one header for nonce and key id',
      { secret, keyId: 'k', nonceHeader: 'X-KEY-ID' },
      'hmac.keyIdHeader',
      /nonceHeader and keyIdHeader/,
    ],
    ['a message of another type', { secret, message: 1 }, 'hmac.message', /template or a function/],
    [
      'an unknown placeholder',
      { secret, message: '{timestamp}{boby}' },
      'hmac.message',
      /unknown placeholder \{boby\}/,
    ],
    [
      'an inherited name as a placeholder',
      { secret, message: '{timestamp}{body}{constructor}' },
      'hmac.message',
      /unknown placeholder/,
    ],
    [
      'a header without a name',
      { secret, message: '{timestamp}{body}{header:}' },
      'hmac.message',
      /unknown placeholder/,
    ],
    ['a lone brace', { secret, message: '{timestamp}{body}{' }, 'hmac.message', /brace/],
    [
      'a header that fetch adds',
      { secret, message: '{timestamp}{body}{header:Host}' },
      'hmac.message',
      /use \{host\} for the host/,
    ],
    [
      'the signature in its own message',
      { secret, message: '{timestamp}{body}{header:X-Signature}' },
      'hmac.message',
      /signature itself/,
    ],
    [
      'a template without the body',
      { secret, message: '{timestamp}' },
      'hmac.message',
      /does not sign the body/,
    ],
    [
      'a time that is not signed',
      { secret, message: '{body}' },
      'hmac.message',
      /timestampHeader: false/,
    ],
    ['a time that is not sent', { secret, timestampHeader: false }, 'hmac.message', /not sent/],
    [
      'a nonce that is not signed',
      { secret, nonceHeader },
      'hmac.message',
      /does not sign the \{nonce\}/,
    ],
    [
      'a nonce that is not sent',
      { secret, message: '{timestamp}{nonce}{body}' },
      'hmac.message',
      /nonceHeader/,
    ],
  ]

  it.each(refused)('%s', (_, options, option, message) => {
    let error: unknown
    try {
      hmac(options as HmacOptions)
    } catch (thrown) {
      error = thrown
    }

    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ option, message: expect.stringMatching(message) })
    expect(inspect(error)).not.toContain(secret)
  })

  it('at construction do not show the secret', () => {
    const make = () => hmac({ secret: 'not-hex-at-all', secretEncoding: 'hex' })

    expect(make).toThrow(ConfigurationError)
    expect(make).not.toThrow(/not-hex-at-all/)
  })

  const sources: readonly [string, HmacOptions][] = [
    ['is empty', { secret: () => '' }],
    ['is not hex', { secret: () => 'top-secret-value', secretEncoding: 'hex' }],
    ['contains a line break', { secret, keyId: () => 'top-secret-value\r\n' }],
  ]

  it.each(sources)('from a source: it %s', async (problem, options) => {
    const error = await acquire(hmac(options)).catch((thrown: unknown) => thrown)

    expect(error).toMatchObject({ code: 'secret_unavailable' })
    expect((error as Error).message).toContain(problem)
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('top-secret-value')
  })

  it('never show the secret in the provider or its credential', async () => {
    const provider = hmac({ secret })
    const credential = await acquire(provider)

    for (const shown of [provider, credential]) {
      expect(inspect(shown, { depth: 9, showHidden: true })).not.toContain(secret)
      expect(JSON.stringify(shown)).not.toContain(secret)
    }
  })
})
