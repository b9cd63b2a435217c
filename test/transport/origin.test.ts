import { describe, expect, test } from 'vitest'
import { ConfigurationError } from '../../src/index.ts'
import { checkTransportSecurity, isLoopback } from '../../src/transport/origin.ts'
import { Content, Outgoing } from '../../src/transport/outgoing.ts'

describe('this machine', () => {
  test.each(['localhost', 'app.localhost', '127.0.0.1', '127.1.2.3', '[::1]'])('is %s', (host) => {
    expect(isLoopback(host)).toBe(true)
    expect(() => checkTransportSecurity(new URL(`http://${host}/`), false)).not.toThrow()
  })

  test.each(['127.0.0.1.example.com', 'localhost.example.com', '128.0.0.1', '0.0.0.0', '10.0.0.1'])(
    'is not %s',
    (host) => {
      const url = new URL(`http://${host}/mcp`)
      expect(isLoopback(host)).toBe(false)
      expect(() => checkTransportSecurity(url, false)).toThrow(ConfigurationError)
      expect(() => checkTransportSecurity(url, false)).toThrow(/allowInsecure/)
      expect(() => checkTransportSecurity(url, true)).not.toThrow()
    },
  )
})

describe('the body of a request', () => {
  const text = (body: BodyInit | undefined) => new TextDecoder().decode(new Content(body).bytes)

  test('is known as bytes where possible', () => {
    const buffer = new TextEncoder().encode('xxäöü')
    expect(text('äöü')).toBe('äöü')
    expect(text(buffer.subarray(2))).toBe('äöü')
    expect(text(buffer.buffer)).toBe('xxäöü')
    expect(text(new URLSearchParams({ a: 'ä' }))).toBe('a=%C3%A4')
    expect(new Content(undefined).bytes).toBeUndefined()
  })

  test.each([
    ['a stream', () => new ReadableStream(), true, false],
    ['a blob', () => new Blob(['x']), true, true],
    ['a form', () => new FormData(), true, true],
    ['text', () => 'x', false, true],
    ['nothing', () => undefined, false, true],
  ])('%s is streamed: %s', (_what, body, streamed, replayable) => {
    const content = new Content(body())
    const target = new URL('https://mcp.example.com/mcp')
    const request = new Outgoing('POST', target, new Headers(), content, 1, 0)
    expect(request.streamed).toBe(streamed)
    expect(content.replayable).toBe(replayable)
  })

  test('is sent to the caller’s URL unless a credential replaced it', () => {
    const target = new URL('https://mcp.example.com/mcp')
    const request = new Outgoing('GET', target, new Headers(), new Content(undefined), 1, 0)
    expect(request.destination).toBe(target)
    request.url.searchParams.set('key', 'k')
    expect(request.destination.search).toBe('?key=k')
    expect(target.search).toBe('')
  })
})
