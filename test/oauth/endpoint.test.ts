import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { isLoopbackHost } from '../../src/oauth/address.ts'
import { boundedFetch, checkEndpoint } from '../../src/oauth/endpoint.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

const fromPublic = { resource: new URL('https://mcp.example.com/mcp'), allowPrivateNetwork: false }
const fromHere = { resource: new URL('http://127.0.0.1:3000/mcp'), allowPrivateNetwork: false }

describe('checkEndpoint', () => {
  test.each([
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'vbscript:x',
    'ftp://example.com/',
    'blob:https://example.com/x',
    'http://example.com/authorize',
    'http://198.51.100.7/authorize',
    'https://user:pass@example.com/',
    'https://user@example.com/',
    'not a url',
    '//example.com/x',
    '',
    '-https://example.com/',
    ' javascript:alert(1)',
  ])(
    'row 67, advisories CVE-2025-58444 and CVE-2025-58747: %j is never contacted or opened',
    (text) => {
      expect(() => checkEndpoint('authorization_endpoint', text, fromPublic)).toThrow(
        'authorization_endpoint',
      )
    },
  )

  test('a URL without https is refused with a reason of its own', () => {
    const check = () => checkEndpoint('token_endpoint', 'http://example.com/token', fromPublic)
    expect(check).toThrow(expect.objectContaining({ reason: 'not_https' }))
  })

  test.each([
    'https://h.example/$(calc)/a',
    'https://h.example/`id`',
    'https://h.example/a|b',
    'https://h.example/a;b',
    'https://h.example/"a"',
    "https://h.example/'a'",
    'https://h.example/a\r\nb',
    'https://h.example/a b',
    'https://h.example/<a>',
    'https://h.example\\@evil.example/',
  ])(
    'row 69, advisories CVE-2025-6514 and CVE-2025-61591: %j contains characters with a meaning in a shell',
    (text) => {
      expect(() => checkEndpoint('authorization_endpoint', text, fromPublic)).toThrow(
        'characters that no endpoint needs',
      )
    },
  )

  test.each([
    'https://127.0.0.1/',
    'https://127.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://localhost/',
    'https://auth.localhost/',
    'https://10.0.0.1/',
    'https://172.16.0.1/',
    'https://192.168.1.1/',
    'https://169.254.169.254/',
    'https://100.64.0.1/',
    'https://0.0.0.0/',
    'https://224.0.0.1/',
    'https://255.255.255.255/',
    'https://[::1]/',
    'https://[fe80::1]/',
    'https://[fc00::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[64:ff9b::a00:1]/',
    'https://[2002:a00:1::]/',
  ])('rows 62, 64: a public server must not point to %s', (text) => {
    expect(() => checkEndpoint('token_endpoint', text, fromPublic)).toThrow('private network')
    const allowed = { ...fromPublic, allowPrivateNetwork: true }
    expect(checkEndpoint('token_endpoint', text, allowed).protocol).toBe('https:')
  })

  test('row 63: a server on this machine may use http on this machine', () => {
    for (const text of [
      'http://127.0.0.1:1/token',
      'http://localhost/token',
      'http://[::1]/token',
    ]) {
      expect(checkEndpoint('token_endpoint', text, fromHere).href).toBe(text)
    }
  })

  test.each([
    'https://auth.example.com@evil.example/token',
    'https://auth.example.com:443@evil.example',
  ])('attack 6: the authority of %s is not what it seems to be', (text) => {
    expect(() => checkEndpoint('token_endpoint', text, fromPublic)).toThrow('user name')
  })

  test('the message contains neither query nor user name', () => {
    const text = 'http://user:pa55word@evil.example/x?token=abc'
    const error = (() => {
      try {
        checkEndpoint('token_endpoint', text, fromPublic)
        return undefined
      } catch (thrown) {
        return thrown as Error
      }
    })()
    expect(error?.message).toContain('http://evil.example/x')
    expect(error?.message).not.toMatch(/pa55word|abc/)
  })
})

test.each([
  ['localhost', true],
  ['a.localhost', true],
  ['127.9.9.9', true],
  ['[::1]', true],
  ['localhost.example.com', false],
  ['10.0.0.1', false],
])('%s is this machine: %s', (hostname, expected) => {
  expect(isLoopbackHost(hostname)).toBe(expected)
})

describe('boundedFetch', () => {
  const bounds = { seconds: 5, bytes: 1000, signal: new AbortController().signal }

  test.each([301, 302, 303, 307, 308])(
    'row 65, attack 3: a redirect with %d is not followed',
    async (status) => {
      const target = await recordingOrigin()
      const { origin } = await recordingOrigin((_request, response) => {
        response.writeHead(status, { location: target.origin }).end()
      })
      const answer = boundedFetch(
        fetch,
        new URL(origin),
        { method: 'POST', body: 'secret' },
        bounds,
      )
      await expect(answer).rejects.toMatchObject({ code: 'invalid_response', status })
      expect(target.requests).toEqual([])
    },
  )

  test('a body that is too long is not read completely', async () => {
    let written = 0
    const { origin } = await recordingOrigin((_request, response) => {
      const chunk = 'x'.repeat(65_536)
      const write = () => {
        while (written < 500 && response.writable && !response.destroyed) {
          written += 1
          if (!response.write(chunk)) return void response.once('drain', write)
        }
        response.end()
      }
      write()
    })
    await expect(boundedFetch(fetch, new URL(origin), {}, bounds)).rejects.toThrow('1000 bytes')
    expect(written).toBeLessThan(500)
  })

  test('a server that sends slowly causes a timeout, also after its headers', async () => {
    const { origin } = await recordingOrigin((_request, response) => {
      response.write('{')
    })
    const short = { ...bounds, seconds: 0.05 }
    await expect(boundedFetch(fetch, new URL(origin), {}, short)).rejects.toMatchObject({
      name: 'TimeoutError',
    })
  })

  test('an error whose body never ends is recognized by its status, and its connection is closed', async () => {
    vi.useFakeTimers()
    onTestFinished(() => void vi.useRealTimers())
    let isCancelled = false
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode('half of')),
      cancel() {
        isCancelled = true
      },
    })
    const send = async () => new Response(body, { status: 400 })
    const answer = boundedFetch(send, new URL('https://a.example'), {}, bounds)
    await vi.advanceTimersByTimeAsync(3000)
    const { status } = await answer
    expect([status, await (await answer).text(), isCancelled]).toEqual([400, 'half of', true])
  })

  test('an error with a long body is not read completely, and is recognized by its status', async () => {
    const { origin } = await recordingOrigin((_request, response) => {
      response.writeHead(400).end('x'.repeat(1_000_000))
    })
    const answer = await boundedFetch(fetch, new URL(origin), {}, bounds)
    expect(answer.status).toBe(400)
    expect((await answer.text()).length).toBeLessThan(70_000)
  })
})
