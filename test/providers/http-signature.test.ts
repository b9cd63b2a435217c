import {
  constants,
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  sign as signBytes,
  timingSafeEqual,
  verify as verifySignature,
} from 'node:crypto'
import { inspect } from 'node:util'
import { type Verifier, verifySignature as verifyWithSig } from 'http-message-sig'
import { createVerifier, httpbis } from 'http-message-signatures'
import { calculateJwkThumbprint } from 'jose'
import { describe, expect, test } from 'vitest'
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  OutgoingRequest,
} from '../../src/credential.ts'
import { all, authorizedFetch, bearer } from '../../src/index.ts'
import { type HttpSignatureOptions, httpSignature } from '../../src/providers/http-signature.ts'
import { signatureBase } from '../../src/providers/signature-base.ts'
import { applied as apply } from '../support/acquire.ts'
import {
  created,
  ed25519Key,
  p256Key,
  rsaKey,
  rsaPssKey,
  sharedSecret,
  testRequest,
  type Vector,
  vectors,
} from '../support/rfc9421.ts'

const p384 = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-384' }, true, [
  'sign',
  'verify',
])
const p384Jwk = await crypto.subtle.exportKey('jwk', p384.publicKey)

const keys = {
  ed25519: ed25519Key,
  'ecdsa-p256-sha256': p256Key,
  'rsa-pss-sha512': rsaPssKey,
  'rsa-v1_5-sha256': rsaKey,
} as const

const hmac = {
  algorithm: 'hmac-sha256',
  secret: sharedSecret,
  secretEncoding: 'base64',
  keyId: 'test-shared-secret',
} as const
const ed25519 = { algorithm: 'ed25519', key: ed25519Key, keyId: 'test-key-ed25519' } as const

const everyAlgorithm: readonly HttpSignatureOptions[] = [
  hmac,
  ed25519,
  { algorithm: 'ecdsa-p256-sha256', key: p256Key, keyId: 'p256' },
  { algorithm: 'ecdsa-p384-sha384', key: p384.privateKey, keyId: 'p384' },
  { algorithm: 'rsa-pss-sha512', key: rsaPssKey, keyId: 'pss' },
  { algorithm: 'rsa-v1_5-sha256', key: rsaKey, keyId: 'rsa' },
]

interface Given {
  readonly method?: string
  readonly url?: string
  readonly headers?: HeadersInit
  readonly body?: string
  readonly streamed?: boolean
  readonly now?: number
}

function outgoing(given: Given = {}): OutgoingRequest {
  return {
    method: given.method ?? 'POST',
    url: new URL(given.url ?? 'https://example.com/mcp'),
    headers: new Headers(given.headers),
    body: given.body === undefined ? undefined : new TextEncoder().encode(given.body),
    streamed: given.streamed ?? false,
    attempt: 1,
    now: given.now ?? created * 1000,
    signal: undefined,
  }
}

const acquired = (provider: CredentialProvider): Promise<Credential> =>
  provider.acquire({ reason: 'missing' } as unknown as AcquireContext)

async function signed(options: HttpSignatureOptions, given: Given = {}): Promise<OutgoingRequest> {
  const request = outgoing(given)
  await (await acquired(httpSignature(options))).apply(request)
  return request
}

const inputOf = ({ headers }: OutgoingRequest): string =>
  headers.get('Signature-Input')?.replace(/^sig1=/, '') ?? ''

const signatureOf = ({ headers }: OutgoingRequest): string =>
  /^sig1=:([^:]+):$/.exec(headers.get('Signature') ?? '')?.[1] ?? ''

async function caught(action: () => unknown): Promise<unknown> {
  try {
    await action()
  } catch (error) {
    return error
  }
  throw new Error('Nothing was thrown.')
}

describe("the RFC's own signatures", () => {
  const named = vectors.map((vector) => [vector.section, vector] as const)

  test.each(named)('%s has the signature base of the RFC', (_section, vector) => {
    const { request, components, parameters } = vector

    expect(signatureBase(outgoing(request), components, parameters).base).toBe(vector.base)
  })

  test.each(named)('%s verifies over our signature base', async (_section, vector) => {
    const { base } = signatureBase(outgoing(vector.request), vector.components, vector.parameters)

    expect(await isValid(vector, base, vector.signature)).toBe(true)
    expect(await isValid(vector, `${base} `, vector.signature)).toBe(false)
  })

  test.each(named)("%s: our signature verifies with the RFC's key", async (_section, vector) => {
    const request = await signed(optionsOf(vector), vector.request)

    const lines = vector.base.split('\n').slice(0, -1)
    const base = [...lines, `"@signature-params": ${inputOf(request)}`].join('\n')
    expect(await isValid(vector, base, signatureOf(request))).toBe(true)
  })

  test.each(named.filter(([section]) => section === 'B.2.5' || section === 'B.2.6'))(
    '%s is byte for byte the same',
    async (_section, vector) => {
      const request = await signed(optionsOf(vector), vector.request)

      expect(`"@signature-params": ${inputOf(request)}`).toBe(vector.base.split('\n').at(-1))
      expect(signatureOf(request)).toBe(vector.signature)
    },
  )

  function optionsOf({ algorithm, components, parameters }: Vector): HttpSignatureOptions {
    const { tag } = parameters
    const settings = {
      keyId: String(parameters['keyid']),
      components,
      digest: false,
      nonce: false,
      ...(typeof tag === 'string' ? { tag } : {}),
    } as const
    return algorithm === 'hmac-sha256'
      ? { ...hmac, ...settings }
      : { algorithm, key: keys[algorithm], ...settings }
  }

  async function isValid({ algorithm }: Vector, base: string, signature: string): Promise<boolean> {
    const bytes = Buffer.from(signature, 'base64')
    const data = Buffer.from(base)
    const use = ['verify'] as const
    if (algorithm === 'hmac-sha256') {
      const secret = Buffer.from(sharedSecret, 'base64')
      const parameters = { name: 'HMAC', hash: 'SHA-256' }
      const key = await crypto.subtle.importKey('raw', secret, parameters, false, use)
      return crypto.subtle.verify('HMAC', key, bytes, data)
    }
    const { name, ...rest } = {
      ed25519: { name: 'Ed25519' },
      'rsa-pss-sha512': { name: 'RSA-PSS', hash: 'SHA-512', saltLength: 64 },
      'rsa-v1_5-sha256': { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
    }[algorithm]
    const jwk = publicPart(keys[algorithm])
    const key = await crypto.subtle.importKey('jwk', jwk, { name, ...rest }, false, use)
    return crypto.subtle.verify({ name, ...rest }, key, bytes, data)
  }
})

describe('other implementations', () => {
  const body = '{"jsonrpc":"2.0","id":1,"method":"tools/list"}'
  const given = (): Given => ({
    url: 'https://MCP.example.com:443/mcp%2Fa?page=2&q=a%20b',
    headers: { 'Content-Type': 'application/json', Authorization: 'Bearer t' },
    body,
    now: Date.now(),
  })
  const settings = {
    components: ['@method', '@target-uri', '@authority', '@path', '@query', '@scheme'],
    optionalComponents: ['content-type', 'authorization'],
    expiresIn: 60,
    tag: 'mcp',
    includeAlgorithm: true,
  } as const
  const named = everyAlgorithm.map((options) => [options.algorithm, options] as const)

  test.each(named)('http-message-signatures accepts %s', async (_algorithm, options) => {
    const request = await signed({ ...options, ...settings }, given())

    expect(await acceptedByFirst(options, request)).toBe(true)
    request.headers.set('Authorization', 'Bearer u')
    expect(await acceptedByFirst(options, request)).toBe(false)
  })

  test.each(named)('http-message-sig accepts %s', async (_algorithm, options) => {
    const request = await signed({ ...options, ...settings }, given())

    expect(await acceptedBySecond(options, request)).toBe(true)
    request.headers.set('Authorization', 'Bearer u')
    expect(await acceptedBySecond(options, request)).toBe(false)
  })

  test('http-message-signatures agrees on a named query parameter', async () => {
    const options = { ...ed25519, components: ['@query-param;name="q"'] }

    expect(await acceptedByFirst(options, await signed(options, given()))).toBe(true)
  })

  async function acceptedByFirst(
    { algorithm }: HttpSignatureOptions,
    { method, url, headers }: OutgoingRequest,
  ): Promise<boolean> {
    const key =
      algorithm === 'hmac-sha256' ? Buffer.from(sharedSecret, 'base64') : publicKey(algorithm)
    const verify = createVerifier(key, algorithm)
    const result = await httpbis.verifyMessage(
      {
        keyLookup: async () => ({ algs: [algorithm], verify }),
        requiredParams: ['created', 'keyid', 'nonce'],
        requiredFields: ['content-digest'],
        maxAge: 60,
      },
      { method, url, headers: Object.fromEntries(headers) },
    )
    return result === true
  }

  async function acceptedBySecond(
    { algorithm }: HttpSignatureOptions,
    { method, url, headers }: OutgoingRequest,
  ): Promise<boolean> {
    const fields = [...headers].map(([name, value]) => ({ name, value }))
    const verified = verifyWithSig(
      { kind: 'request', method, targetUri: url.href, fields },
      {
        policy: {
          algorithms: [algorithm],
          requiredComponents: [...settings.components, 'content-digest'],
          requiredParameters: ['created', 'expires', 'keyid', 'alg', 'nonce', 'tag'],
          maxAge: 60,
        },
        resolveVerifier: () => nodeVerifier(algorithm),
      },
    )
    return verified.then(
      () => true,
      (error: unknown) => {
        expect(error).toHaveProperty('code', 'VerificationFailed')
        return false
      },
    )
  }

  function nodeVerifier(algorithm: HttpSignatureOptions['algorithm']): Verifier {
    return {
      algorithm,
      verify(data, signature) {
        if (algorithm === 'hmac-sha256') {
          const secret = Buffer.from(sharedSecret, 'base64')
          return timingSafeEqual(createHmac('sha256', secret).update(data).digest(), signature)
        }
        const key = publicKey(algorithm)
        if (algorithm === 'ed25519') return verifySignature(null, data, key, signature)
        const hash = algorithm.slice(-6)
        const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }
        const input = {
          key,
          ...(algorithm.startsWith('ecdsa') ? { dsaEncoding: 'ieee-p1363' as const } : {}),
          ...(algorithm === 'rsa-pss-sha512' ? pss : {}),
        }
        return verifySignature(hash, data, input, signature)
      },
    }
  }

  function publicKey(algorithm: Exclude<HttpSignatureOptions['algorithm'], 'hmac-sha256'>) {
    const jwk = algorithm === 'ecdsa-p384-sha384' ? p384Jwk : publicPart(keys[algorithm])
    return createPublicKey({ key: { ...jwk }, format: 'jwk' })
  }
})

describe('derived components', () => {
  const base = (url: string, component: string, method = 'POST') =>
    signatureBase(outgoing({ url, method }), [component], {}).base.split('\n')[0]
  const example = 'https://www.example.com/path?param=value'

  test.each([
    ['@method', example, 'POST'],
    ['@target-uri', example, 'https://www.example.com/path?param=value'],
    ['@target-uri', 'https://user:pass@www.example.com', 'https://www.example.com/'],
    ['@target-uri', 'https://www.example.com/path?#part', 'https://www.example.com/path'],
    ['@authority', example, 'www.example.com'],
    ['@authority', 'https://WWW.Example.COM:443/', 'www.example.com'],
    ['@authority', 'http://www.example.com:80/', 'www.example.com'],
    ['@authority', 'http://www.example.com:443/', 'www.example.com:443'],
    ['@authority', 'http://[::1]:3000/', '[::1]:3000'],
    ['@scheme', 'HTTP://www.example.com/', 'http'],
    ['@request-target', example, '/path?param=value'],
    ['@path', example, '/path'],
    ['@path', 'https://www.example.com', '/'],
    ['@path', 'https://www.example.com/a%2Fb%7e', '/a%2Fb%7e'],
    [
      '@query',
      'https://example.com/p?param=value&foo=bar&baz=bat%2Dman',
      '?param=value&foo=bar&baz=bat%2Dman',
    ],
    ['@query', 'https://example.com/p?queryString', '?queryString'],
    ['@query', 'https://example.com/p', '?'],
    ['@query', 'https://example.com/p?', '?'],
  ])('%s of %s is %s', (component, url, value) => {
    expect(base(url, component)).toBe(`"${component}": ${value}`)
  })

  const parameters =
    'https://example.com/p?var=this%20is%20a%20big%0Amultiline%20value&bar=with+plus+whitespace&fa%C3%A7ade%22%3A%20=something&qux=&odd=~*!%27()&plus=%2B'

  test.each([
    ['var', 'this%20is%20a%20big%0Amultiline%20value'],
    ['bar', 'with%20plus%20whitespace'],
    ['fa%C3%A7ade%22%3A%20', 'something'],
    ['qux', ''],
    ['odd', '%7E*%21%27%28%29'],
    ['plus', '%2B'],
  ])('the query parameter %s is encoded as %s', (name, value) => {
    const component = `@query-param;name="${name}"`

    expect(base(parameters, component)).toBe(`"@query-param";name="${name}": ${value}`)
  })

  test.each([
    ['no', 'https://example.com/p?b=1'],
    ['more than one', 'https://example.com/p?a=1&b=2&a=3'],
  ])('a request with %s parameter of that name is not signed', async (count, url) => {
    const options = { ...ed25519, components: ['@query-param;name="a"'] }

    await expect(signed(options, { url })).rejects.toMatchObject({
      code: 'unsignable_request',
      message: `httpSignature: the URL has ${count} query parameter a, which the signature covers. Cover @query instead.`,
    })
  })
})

describe('headers', () => {
  const line = (name: string, get: (name: string) => string | null) =>
    signatureBase({ ...outgoing(), headers: { get } }, [name], {}).base.split('\n')[0]

  test('several values are trimmed and joined', () => {
    const headers = new Headers()
    headers.append('Cache-Control', '  max-age=60  ')
    headers.append('Cache-Control', '\t  must-revalidate')

    const value = line('cache-control', (name) => headers.get(name))
    expect(value).toBe('"cache-control": max-age=60, must-revalidate')
  })

  test('an empty value is kept, and a folded line becomes one line', () => {
    expect(line('x-empty-header', () => '')).toBe('"x-empty-header": ')
    expect(line('x-obs-fold-header', () => ' Obsolete\r\n    line folding. ')).toBe(
      '"x-obs-fold-header": Obsolete line folding.',
    )
  })

  test('a missing header is named in the error, and nothing is signed', async () => {
    const request = outgoing()
    const options = { ...ed25519, components: ['@method', 'X-Tenant-ID'] }
    const credential = await acquired(httpSignature(options))

    await expect(credential.apply(request)).rejects.toMatchObject({
      code: 'unsignable_request',
      provider: 'httpSignature',
      message: expect.stringContaining('no header x-tenant-id'),
    })
    expect([...request.headers]).toEqual([])
  })

  test('an optional header is covered in the requests that have it', async () => {
    const options = { ...ed25519, components: ['@method'], optionalComponents: ['Mcp-Session-Id'] }

    expect(inputOf(await signed(options))).toMatch(/^\("@method"\);/)
    const later = await signed(options, { headers: { 'mcp-session-id': 's1' } })
    expect(inputOf(later)).toMatch(/^\("@method" "mcp-session-id"\);/)
  })

  test('a header can have the name of an inherited property', () => {
    expect(line('constructor', () => 'acme')).toBe('"constructor": acme')
  })

  test('a value outside ASCII is rejected', async () => {
    const options = { ...ed25519, components: ['x-name'] }

    await expect(signed(options, { headers: { 'X-Name': 'zo\xeb' } })).rejects.toMatchObject({
      code: 'unsignable_request',
      message: expect.stringContaining('x-name'),
    })
  })

  test('headers that earlier parts of all() set can be covered', async () => {
    const request = outgoing()
    const last = httpSignature({ ...ed25519, components: ['authorization'], nonce: false })
    const credential = await acquired(all(bearer('token-1'), last))

    await credential.apply(request)

    const { base } = signatureBase(request, ['authorization'], {
      created,
      keyid: ed25519.keyId,
    })
    expect(base).toMatch(/^"authorization": Bearer token-1\n/)
    expect(base.endsWith(inputOf(request))).toBe(true)
  })

  test('only its own three headers are set', async () => {
    const { headers } = await signed(hmac, { headers: { accept: '*/*' }, body: '{}' })

    expect([...headers.keys()]).toEqual([
      'accept',
      'content-digest',
      'signature',
      'signature-input',
    ])
  })
})

describe('the digest of the body', () => {
  test.each([
    ['{"hello": "world"}', 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:'],
    ['{"hello": "world"}\n', 'sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:'],
    ['', 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:'],
  ])('of %j equals the one in RFC 9530', async (body, digest) => {
    const request = await signed(hmac, { body })

    expect(request.headers.get('Content-Digest')).toBe(digest)
    expect(inputOf(request)).toContain('"@query" "content-digest")')
  })

  test('can use SHA-512', async () => {
    const request = await signed({ ...hmac, digest: 'sha-512' }, { body: '{"hello": "world"}' })

    expect(request.headers.get('Content-Digest')).toBe(testRequest.headers['Content-Digest'])
  })

  test('is not sent without a body, unless it is listed', async () => {
    const without = await signed(hmac)
    expect(without.headers.has('Content-Digest')).toBe(false)
    expect(inputOf(without)).toMatch(/^\("@method" "@authority" "@path" "@query"\);/)

    const listed = await signed({ ...hmac, components: ['content-digest'] })
    expect(listed.headers.get('Content-Digest')).toContain('47DEQpj8HBSa+')
    expect(inputOf(listed)).toMatch(/^\("content-digest"\);/)
  })

  test('replaces an existing one', async () => {
    const headers = { 'Content-Digest': 'sha-256=:AAAA:' }
    const request = await signed(hmac, { headers, body: '' })

    expect(request.headers.get('Content-Digest')).toContain('47DEQpj8HBSa+')
  })

  test('of a stream is not known, so the stream is rejected', async () => {
    await expect(signed(hmac, { streamed: true })).rejects.toMatchObject({
      code: 'unsignable_body',
      remedy: expect.stringContaining('digest: false'),
    })
  })

  test('can be omitted, also for streams', async () => {
    const request = await signed({ ...hmac, digest: false }, { streamed: true })

    expect(request.headers.has('Content-Digest')).toBe(false)
    expect(inputOf(request)).not.toContain('content-digest')
  })
})

describe('signature parameters', () => {
  test('have the order of the examples in the RFC', async () => {
    const options = { ...hmac, components: [], expiresIn: 60, tag: 'a "b" \\c' }
    const request = await signed({ ...options, includeAlgorithm: true, label: 'sig-b25' })

    expect(request.headers.get('Signature-Input')).toMatch(
      /^sig-b25=\(\);created=1618884473;expires=1618884533;keyid="test-shared-secret";alg="hmac-sha256";nonce="[A-Za-z0-9+/]{22}==";tag="a \\"b\\" \\\\c"$/,
    )
    expect(request.headers.get('Signature')).toMatch(/^sig-b25=:[^:]+:$/)
  })

  test('can all be omitted except the key', async () => {
    const request = await signed({ ...hmac, components: [], created: false, nonce: false })

    expect(inputOf(request)).toBe('();keyid="test-shared-secret"')
  })

  test('contain the time of the request in whole seconds', async () => {
    expect(inputOf(await signed(hmac, { now: 1_700_000_000_999 }))).toContain('created=1700000000;')
  })

  test('contain another nonce for each attempt', async () => {
    const credential = await acquired(httpSignature(ed25519))
    const inputs = new Set<string>()
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const request = outgoing()
      await credential.apply(request)
      inputs.add(inputOf(request))
    }

    expect(inputs.size).toBe(50)
  })
})

test('row 94: a retry after a refusal is signed again, with the current time', async () => {
  const seen: { input: string; signature: string }[] = []
  let now = created * 1000
  const send = authorizedFetch(httpSignature(ed25519), {
    resource: 'https://example.com/mcp',
    now: () => now,
    fetch: async (_url, init) => {
      const headers = new Headers(init?.headers)
      const [input, signature] = [headers.get('Signature-Input'), headers.get('Signature')]
      seen.push({ input: input ?? '', signature: signature ?? '' })
      now += 2000
      return seen.length > 1
        ? new Response()
        : new Response(null, {
            status: 401,
            headers: { 'Accept-Signature': 'sig1=("@method");created' },
          })
    },
  })

  const headers = { 'content-type': 'application/json', accept: 'text/event-stream' }
  const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
  const { status } = await send('https://example.com/mcp', { method: 'POST', headers, body })

  expect(status).toBe(200)
  const [first, second] = seen
  expect(seen).toHaveLength(2)
  expect(first?.input).toContain(`created=${created};`)
  expect(second?.input).toContain(`created=${created + 2};`)
  expect(second?.signature).not.toBe(first?.signature)
})

describe('keys', () => {
  test('are read again for each credential', async () => {
    const secrets = ['a'.repeat(32), 'b'.repeat(32)]
    const provider = httpSignature({
      algorithm: 'hmac-sha256',
      secret: () => secrets.shift() ?? '',
      keyId: 'k',
      nonce: false,
    })
    const signatures: string[] = []
    for (const secret of [...secrets]) {
      const request = outgoing()
      await (await acquired(provider)).apply(request)
      signatures.push(signatureOf(request))
      const { base } = signatureBase(request, ['@method', '@authority', '@path', '@query'], {
        created,
        keyid: 'k',
      })
      expect(signatureOf(request)).toBe(createHmac('sha256', secret).update(base).digest('base64'))
    }

    expect(new Set(signatures).size).toBe(2)
  })

  test.each(['hex', 'base64', 'base64url'] as const)('a secret can be in %s', async (encoding) => {
    const bytes = Buffer.from('fbefbe'.repeat(11), 'hex')
    const request = await signed({
      algorithm: 'hmac-sha256',
      secret: bytes.toString(encoding),
      secretEncoding: encoding === 'hex' ? 'hex' : 'base64',
      keyId: 'k',
      components: [],
      created: false,
      nonce: false,
    })

    const base = '"@signature-params": ();keyid="k"'
    expect(signatureOf(request)).toBe(createHmac('sha256', bytes).update(base).digest('base64'))
  })

  test.each([
    ['is short', 'utf8', 'short-secret-value'],
    ['is not base64', 'base64', `${'%'.repeat(50)}secret-value`],
  ] as const)('a secret that %s is rejected when it is read', async (_what, encoding, secret) => {
    const provider = httpSignature({
      algorithm: 'hmac-sha256',
      secret: () => secret,
      secretEncoding: encoding,
      keyId: 'k',
    })

    const error = await caught(() => acquired(provider))
    expect(error).toMatchObject({ code: 'secret_unavailable' })
    expect(shown(error)).not.toContain('secret-value')
  })

  test('row 94: a non-exportable key signs through a function', async () => {
    const asked: Uint8Array[] = []
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const provider = httpSignature({
      algorithm: 'ed25519',
      keyId: 'in-an-hsm',
      async sign(data) {
        asked.push(data)
        return signBytes(null, data, privateKey)
      },
    })
    const { request } = await apply(provider)
    const [base = new Uint8Array()] = asked
    expect(new TextDecoder().decode(base)).toContain('"@signature-params": ')
    const signature = Buffer.from(signatureOf(request), 'base64')
    expect(verifySignature(null, base, publicKey, signature)).toBe(true)
  })

  test('a key of the wrong type is rejected when it is read', async () => {
    const provider = httpSignature({ ...ed25519, key: () => JSON.stringify(p256Key) })

    const error = await caught(() => acquired(provider))
    expect(error).toMatchObject({ code: 'secret_unavailable' })
    expect(shown(error)).not.toContain(p256Key.d)
  })

  test('are not visible in a provider or a credential', async () => {
    for (const options of [hmac, ed25519]) {
      const provider = httpSignature(options)
      const text = shown([provider, await acquired(provider)])
      expect(text).not.toContain(sharedSecret.slice(0, 12))
      expect(text).not.toContain(ed25519Key.d)
    }
  })
})

describe('invalid options', () => {
  const key = ed25519Key
  const secret = `${'x'.repeat(40)}-canary`

  test.each<[string, string, object]>([
    ['an unknown option', 'keyid', { ...ed25519, keyid: 'k' }],
    ['an unknown algorithm', 'algorithm', { ...ed25519, algorithm: 'rsa-sha1' }],
    ['an inherited algorithm', 'algorithm', { ...ed25519, algorithm: 'toString' }],
    ['no algorithm', 'algorithm', { key, keyId: 'k' }],
    ['a missing key', 'key', { algorithm: 'ed25519', keyId: 'k' }],
    ['a key for another algorithm', 'key', { ...ed25519, algorithm: 'rsa-pss-sha512' }],
    ['a public key', 'key', { ...ed25519, key: publicPart(key) }],
    ['a key for hmac-sha256', 'key', { ...hmac, key }],
    ['a function for hmac-sha256', 'sign', { ...hmac, sign: async () => new Uint8Array() }],
    ['a key and a function', 'sign', { ...ed25519, sign: async () => new Uint8Array() }],
    ['a signature for a function', 'sign', { ...ed25519, key: undefined, sign: 'abc' }],
    ['a secret for ed25519', 'secret', { ...ed25519, secret }],
    ['an encoding for ed25519', 'secretEncoding', { ...ed25519, secretEncoding: 'hex' }],
    ['a missing secret', 'secret', { algorithm: 'hmac-sha256', keyId: 'k' }],
    ['a short secret', 'secret', { ...hmac, secretEncoding: 'utf8', secret: 'canary' }],
    ['a secret short when decoded', 'secret', { ...hmac, secret: 'canary'.repeat(7) }],
    ['a secret that is not hex', 'secret', { ...hmac, secret, secretEncoding: 'hex' }],
    ['an unknown encoding', 'secretEncoding', { ...hmac, secretEncoding: 'base32' }],
    ['a missing key id', 'keyId', { algorithm: 'ed25519', key }],
    ['an empty key id', 'keyId', { ...ed25519, keyId: '' }],
    ['a line break in the key id', 'keyId', { ...ed25519, keyId: 'k\r\nX: y' }],
    ['a control character in the tag', 'tag', { ...ed25519, tag: 'a\x7f' }],
    ['a tag outside ASCII', 'tag', { ...ed25519, tag: 'zoë' }],
    ['an upper-case label', 'label', { ...ed25519, label: 'Sig1' }],
    ['an empty label', 'label', { ...ed25519, label: '' }],
    ['a label that begins with a digit', 'label', { ...ed25519, label: '1sig' }],
    ['no lifetime', 'expiresIn', { ...ed25519, expiresIn: 0 }],
    ['a negative lifetime', 'expiresIn', { ...ed25519, expiresIn: -1 }],
    ['a fractional lifetime', 'expiresIn', { ...ed25519, expiresIn: 1.5 }],
    ['an endless lifetime', 'expiresIn', { ...ed25519, expiresIn: Infinity }],
    ['an unknown digest', 'digest', { ...ed25519, digest: 'md5' }],
    ['a fixed nonce', 'nonce', { ...ed25519, nonce: 'abc' }],
    ['a fixed time', 'created', { ...ed25519, created: 1 }],
    ['one component instead of a list', 'components', { ...ed25519, components: '@method' }],
    ['an unknown derived component', 'components', { ...ed25519, components: ['@host'] }],
    ['an inherited component', 'components', { ...ed25519, components: ['@constructor'] }],
    ['a component of responses', 'components', { ...ed25519, components: ['@status'] }],
    [
      'the parameters as a component',
      'components',
      { ...ed25519, components: ['@signature-params'] },
    ],
    ['a component twice', 'components', { ...ed25519, components: ['Date', '@path', 'date'] }],
    [
      'a header both times',
      'components',
      { ...ed25519, components: ['date'], optionalComponents: ['date'] },
    ],
    [
      'an optional derived component',
      'optionalComponents',
      { ...ed25519, components: [], optionalComponents: ['@path'] },
    ],
    ['an invalid header name', 'components', { ...ed25519, components: ['content type'] }],
    ['a component with parameters', 'components', { ...ed25519, components: ['date;sf'] }],
    ['its own header', 'components', { ...ed25519, components: ['Signature'] }],
    [
      'a query parameter without a name',
      'components',
      { ...ed25519, components: ['@query-param'] },
    ],
    [
      'a query parameter as it is decoded',
      'components',
      { ...ed25519, components: ['@query-param;name="a b"'] },
    ],
    ['a number as a component', 'components', { ...ed25519, components: [1] }],
  ])('such as %s are rejected at construction', async (_what, option, options) => {
    const error = await caught(() => httpSignature(options as HttpSignatureOptions))

    expect(error).toMatchObject({ code: 'configuration', option: `httpSignature.${option}` })
    expect(shown(error)).not.toContain('canary')
    expect(shown(error)).not.toContain(ed25519Key.d)
  })

  test('for a part of a header name what to cover instead', () => {
    const options = { ...ed25519, components: ['content-type;sf'] }

    expect(() => httpSignature(options)).toThrow('cover the whole header instead')
  })

  test('for a query parameter say how to write its name', () => {
    const components = ['@query-param;name="façade"']

    expect(() => httpSignature({ ...ed25519, components })).toThrow(
      '@query-param;name="fa%C3%A7ade"',
    )
  })
})

function publicPart(jwk: JsonWebKey): JsonWebKey {
  const { d, p, q, dp, dq, qi, ...rest } = jwk
  return rest
}

function shown(value: unknown): string {
  const stack = value instanceof Error ? value.stack : ''
  return `${inspect(value, { depth: 10, showHidden: true })}${JSON.stringify(value)}${stack}`
}

test('rows 92, 93: the signature that SEP-2752 drafts for MCP can be created', async () => {
  const url = 'https://example.com/mcp?x=1'
  const provider = httpSignature({
    ...ed25519,
    keyId: await calculateJwkThumbprint(ed25519Key),
    components: ['@method', '@target-uri', 'content-digest'],
    optionalComponents: ['mcp-protocol-version', 'mcp-session-id'],
    tag: 'mcp',
  })
  const credential = await acquired(provider)
  const sent = outgoing({
    method: 'DELETE',
    url,
    headers: { 'mcp-session-id': 's-1', 'mcp-protocol-version': '2026-07-28' },
  })
  await credential.apply(sent)
  const input = inputOf(sent)
  expect(input).toMatch(
    /^\("@method" "@target-uri" "content-digest" "mcp-protocol-version" "mcp-session-id"\);created=\d+;keyid="[\w-]{43}";nonce="[\w+/]{22}==";tag="mcp"$/,
  )
  const base = [
    '"@method": DELETE',
    `"@target-uri": ${url}`,
    '"content-digest": sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:',
    '"mcp-protocol-version": 2026-07-28',
    '"mcp-session-id": s-1',
    `"@signature-params": ${input}`,
  ].join('\n')
  const key = createPublicKey({ key: ed25519Key, format: 'jwk' })
  const signature = Buffer.from(signatureOf(sent), 'base64')
  expect(verifySignature(null, Buffer.from(base), key, signature)).toBe(true)
})

describe('two signatures on one request', () => {
  const signer = (label: string, keyId: string) =>
    httpSignature({ algorithm: 'hmac-sha256', secret: 's'.repeat(32), keyId, label })

  test('are kept, each under its own label', async () => {
    const { request } = await apply(all(signer('gateway', 'a'), signer('server', 'b')))
    for (const name of ['Signature', 'Signature-Input']) {
      expect(request.headers.get(name)).toMatch(/^gateway=.+, server=.+$/)
    }
  })

  test('are not added to those of an earlier attempt', async () => {
    const attempts: (string | null)[] = []
    const send = authorizedFetch(all(signer('gateway', 'a'), signer('server', 'b')), {
      resource: 'https://example.com/mcp',
      fetch: async (_input, init) => {
        attempts.push(new Headers(init?.headers).get('Signature-Input'))
        return new Response(null, { status: attempts.length === 1 ? 401 : 200 })
      },
    })

    expect((await send('https://example.com/mcp', { method: 'POST', body: '{}' })).status).toBe(200)
    expect(attempts).toHaveLength(2)
    for (const input of attempts) {
      expect(input?.match(/(?:gateway|server)=\(/g)).toEqual(['gateway=(', 'server=('])
    }
  })

  test('cannot share a label', async () => {
    await expect(apply(all(signer('sig', 'a'), signer('sig', 'b')))).rejects.toMatchObject({
      code: 'unsignable_request',
      message: expect.stringContaining('label sig'),
    })
  })
})
