import { execFile, spawnSync } from 'node:child_process'
import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { inspect, promisify } from 'node:util'
import { Agent, fetch as undiciFetch } from 'undici'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import {
  type CertificateAuthority,
  type CertificateFiles,
  createCertificateAuthority,
} from '../../examples/servers/certificates.ts'
import type { ServerKind } from '../../examples/servers/mcp-server.ts'
import { startMtlsServer } from '../../examples/servers/mtls-server.ts'
import { bearer, type CredentialError, withCredentials } from '../../src/index.ts'
import { type MutualTlsOptions, mutualTls } from '../../src/node/mtls.ts'
import { sdks } from '../support/sdk.ts'

let authority: CertificateAuthority
let certificate: CertificateFiles
let alice: CertificateFiles
let bob: CertificateFiles
let copies = 0

beforeAll(() => {
  authority = createCertificateAuthority()
  certificate = authority.issue('server', { server: true })
  alice = authority.issue('alice')
  bob = authority.issue('bob')
})
afterAll(() => authority.remove())

/** A pair of files of its own, which a test may replace. */
function copyOf(files: CertificateFiles): CertificateFiles {
  copies += 1
  const copy = {
    cert: join(authority.folder, `copy-${copies}.pem`),
    key: join(authority.folder, `copy-${copies}-key.pem`),
  }
  cpSync(files.cert, copy.cert)
  cpSync(files.key, copy.key)
  return copy
}

async function startServer(kind: ServerKind = 'stateful') {
  const server = await startMtlsServer({ certificate, ca: authority.ca, kind })
  onTestFinished(() => server.close())
  return server
}

function makeFetch(options: Partial<MutualTlsOptions> = {}) {
  const send = mutualTls({ ...alice, ca: authority.ca, ...options })
  onTestFinished(() => send.close())
  return send
}

/** An https server that answers with the caller's name, at once or when told. */
async function startNamingServer() {
  const held: (() => void)[] = []
  const server = createServer(
    {
      cert: readFileSync(certificate.cert),
      key: readFileSync(certificate.key),
      ca: readFileSync(authority.ca),
      requestCert: true,
    },
    async (request, response) => {
      const { subject } = (request.socket as TLSSocket).getPeerCertificate()
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      response.setHeader('X-Content-Type', request.headers['content-type'] ?? '')
      response.write(`${subject.CN} ${request.method} ${Buffer.concat(chunks).toString()}`)
      if (request.url === '/held') held.push(() => response.end(' the end'))
      else response.end()
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(async () => {
    const closed = new Promise((resolve) => server.close(resolve))
    server.closeAllConnections()
    await closed
  })
  return { origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, held }
}

const nameOf = async (response: Response) => (await response.text()).split(' ')[0]

describe.each(sdks)('a client certificate with $name', (sdk) => {
  test.each(['stateful', 'stateless', 'sse'] as const)('opens a %s server', async (kind) => {
    const server = await startServer(kind)
    const fetch = makeFetch()
    const client = sdk.client()
    onTestFinished(() => client.close())

    await client.connect(
      kind === 'sse' ? sdk.sse(server.url, { fetch }) : sdk.streamable(server.url, { fetch }),
    )

    expect(JSON.stringify(await client.callTool({ name: 'whoami' }))).toContain('alice')
  })

  test('brings notifications over the event stream', async () => {
    const server = await startServer()
    const client = sdk.client()
    onTestFinished(() => client.close())
    const notified = new Promise<string>((resolve) => client.onNotification(resolve))
    await client.connect(sdk.streamable(server.url, { fetch: makeFetch() }))

    await expect
      .poll(() => server.requests.some(({ method, status }) => method === 'GET' && status === 200))
      .toBe(true)
    await server.notify()

    expect(await notified).toBe('notifications/tools/list_changed')
  })

  test('goes with a credential in the headers, which is renewed after a 401', async () => {
    const server = await startServer()
    let token = 0
    const options = withCredentials(
      bearer(() => {
        token += 1
        return `token-${token}`
      }),
      { fetch: makeFetch(), resource: server.url },
    )
    const client = sdk.client()
    onTestFinished(() => client.close())
    await client.connect(sdk.streamable(server.url, options))
    server.rejectNext(1, { method: 'POST' })

    const identity = await client.callTool({ name: 'whoami' })

    expect(JSON.stringify(identity)).toContain('alice')
    const tokens = server.requests
      .filter(({ body }) => body.includes('tools/call'))
      .map(({ headers }) => headers.authorization)
    expect(tokens).toEqual(['Bearer token-1', 'Bearer token-2'])
  })

  test('is what the server insists on', async () => {
    const server = await startServer()
    const { fetch, close } = withoutCertificate()
    onTestFinished(close)

    await expect(sdk.client().connect(sdk.streamable(server.url, { fetch }))).rejects.toThrow()
    expect(server.requests).toEqual([])
  })
})

/** A `fetch` that trusts the server and has nothing to show. */
function withoutCertificate() {
  const dispatcher = new Agent({ connect: { ca: readFileSync(authority.ca) } })
  return {
    fetch: ((input: string | URL, init?: object) =>
      undiciFetch(input, { ...init, dispatcher })) as unknown as typeof globalThis.fetch,
    close: () => dispatcher.destroy(),
  }
}

describe('the server', () => {
  test('is checked too: without its authority nothing is sent', async () => {
    const server = await startServer()
    const fetch = mutualTls(alice)
    onTestFinished(() => fetch.close())

    await expect(fetch(server.url)).rejects.toThrow()
    expect(server.requests).toEqual([])
  })
})

describe('when the files change', () => {
  test('new requests show the new certificate, and old ones finish on the old connection', async () => {
    const { origin, held } = await startNamingServer()
    const files = copyOf(alice)
    let now = 0
    const reloads: unknown[] = []
    const fetch = makeFetch({ ...files, now: () => now, onReload: (error) => reloads.push(error) })
    const streaming = await fetch(`${origin}/held`)

    cpSync(bob.cert, files.cert)
    cpSync(bob.key, files.key)
    const soon = await nameOf(await fetch(origin))
    now += 1000
    const later = await nameOf(await fetch(origin))
    for (const end of held) end()

    expect(soon).toBe('alice')
    expect(later).toBe('bob')
    expect(await streaming.text()).toBe('alice GET  the end')
    expect(reloads).toEqual([undefined])
  })

  test('a request that had begun but was not sent yet is answered all the same', async () => {
    const { origin } = await startNamingServer()
    const files = copyOf(alice)
    let now = 0
    const fetch = makeFetch({ ...files, now: () => now })
    let controller: ReadableStreamDefaultController<Uint8Array> | undefined
    let begin = () => {}
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const body = new ReadableStream<Uint8Array>(
      {
        pull(given) {
          controller = given
          begin()
        },
      },
      { highWaterMark: 0 },
    )
    const request = new Request(origin, { method: 'POST', body, duplex: 'half' } as RequestInit)
    const slow = fetch(request)
    await begun

    cpSync(bob.cert, files.cert)
    cpSync(bob.key, files.key)
    now += 1000
    const quick = await nameOf(await fetch(origin))
    controller?.enqueue(new TextEncoder().encode('slowly'))
    controller?.close()

    expect(quick).toBe('bob')
    expect(await (await slow).text()).toBe('alice POST slowly')
  })

  test('a half-written pair keeps the previous one, and is reported once', async () => {
    const { origin } = await startNamingServer()
    const files = copyOf(alice)
    let now = 0
    const reloads: (CredentialError | undefined)[] = []
    const fetch = makeFetch({
      ...files,
      now: () => now,
      onReload: (error) => void reloads.push(error),
    })
    const name = async () => {
      now += 1000
      return nameOf(await fetch(origin))
    }

    const names = [await name()]
    cpSync(bob.cert, files.cert)
    names.push(await name(), await name())
    rmSync(files.key)
    names.push(await name())
    cpSync(bob.key, files.key)
    names.push(await name())

    expect(names).toEqual(['alice', 'alice', 'alice', 'alice', 'bob'])
    expect(reloads.map((error) => error?.code)).toEqual([
      'secret_unavailable',
      'secret_unavailable',
      undefined,
    ])
    expect(reloads[0]?.message).toContain('cannot be used together')
    expect(inspect(reloads, { depth: 9 })).not.toContain('PRIVATE KEY')
  })

  test('an observer that throws changes nothing', async () => {
    const { origin } = await startNamingServer()
    const files = copyOf(alice)
    let now = 0
    const fetch = makeFetch({
      ...files,
      now: () => now,
      onReload: () => {
        throw new Error('from the observer')
      },
    })
    await nameOf(await fetch(origin))
    cpSync(bob.cert, files.cert)
    cpSync(bob.key, files.key)
    now += 1000

    expect(await nameOf(await fetch(origin))).toBe('bob')
  })
})

describe('the fetch', () => {
  test('takes a Request, a stream and a form as the platform does', async () => {
    const { origin } = await startNamingServer()
    const fetch = makeFetch()
    const form = new FormData()
    form.set('colour', 'red')
    const stream = new Response('streamed').body

    const request = await fetch(new Request(origin, { method: 'POST', body: 'from a request' }))
    const streamed = await fetch(origin, {
      method: 'POST',
      body: stream,
      duplex: 'half',
    } as RequestInit)
    const posted = await fetch(origin, { method: 'POST', body: form })

    expect(await request.text()).toBe('alice POST from a request')
    expect(await streamed.text()).toBe('alice POST streamed')
    expect(posted.headers.get('X-Content-Type')).toMatch(/^multipart\/form-data; boundary=/)
    expect(await posted.text()).toContain('name="colour"')
  })

  test('decrypts a key by its passphrase, read from a source', async () => {
    const { origin } = await startNamingServer()
    const key = join(authority.folder, 'encrypted-key.pem')
    const { status } = spawnSync('openssl', [
      ...['pkcs8', '-topk8', '-in', alice.key, '-out', key],
      ...['-v2', 'aes-256-cbc', '-passout', 'pass:open sesame'],
    ])
    expect(status).toBe(0)

    const right = makeFetch({ key, passphrase: () => 'open sesame' })
    const wrong = makeFetch({ key, passphrase: 'hidden-value' })

    expect(await nameOf(await right(origin))).toBe('alice')
    const error: unknown = await wrong(origin).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'secret_unavailable', retryable: true })
    expect(inspect(error, { depth: 9 })).not.toContain('hidden-value')
  })

  test('refuses a key that is not the one of the certificate', async () => {
    const { origin } = await startNamingServer()

    await expect(makeFetch({ key: bob.key })(origin)).rejects.toMatchObject({
      code: 'secret_unavailable',
    })
  })

  test('is at an end after close, which cuts what is under way', async () => {
    const { origin } = await startNamingServer()
    const fetch = makeFetch()
    const streaming = await fetch(`${origin}/held`)
    const reading = expect(streaming.text()).rejects.toThrow()

    await fetch.close()

    await reading
    await expect(fetch(origin)).rejects.toMatchObject({ code: 'closed' })
    await fetch[Symbol.asyncDispose]()
  })

  test('does not keep the process alive when it is not closed', async () => {
    const { origin } = await startNamingServer()
    const script = join(authority.folder, 'idle.mts')
    const module = fileURLToPath(new URL('../../src/node/mtls.ts', import.meta.url))
    writeFileSync(
      script,
      `import { mutualTls } from ${JSON.stringify(module)}
const fetch = mutualTls(${JSON.stringify({ ...alice, ca: authority.ca })})
const response = await fetch(${JSON.stringify(origin)})
console.log(await response.text())
const answered = performance.now()
process.on('exit', () => console.log(Math.round(performance.now() - answered)))
`,
    )
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script])

    const [answer, milliseconds] = stdout.trim().split('\n')
    expect(answer).toContain('alice GET')
    // Idle connections are kept for four seconds.
    expect(Number(milliseconds)).toBeLessThan(3000)
  })
})

describe('options', () => {
  test.each(['cert', 'key', 'ca'] as const)(
    'a missing file is named by its option %s',
    (option) => {
      const options = { ...alice, ca: authority.ca, [option]: '/nowhere/file.pem' }

      expect(() => mutualTls(options)).toThrow(
        expect.objectContaining({ name: 'ConfigurationError', option }),
      )
    },
  )

  test.each([
    ['no key', { key: undefined }, 'key'],
    ['an empty path', { cert: '' }, 'cert'],
    ['an empty passphrase', { passphrase: '' }, 'mutualTls.passphrase'],
    ['an unknown one', { pfx: 'file.p12' }, 'mutualTls.pfx'],
  ])('%s is refused', (_what, changes, option) => {
    const options = { ...alice, ...changes } as MutualTlsOptions

    expect(() => mutualTls(options)).toThrow(
      expect.objectContaining({ name: 'ConfigurationError', option }),
    )
  })
})
