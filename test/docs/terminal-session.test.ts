import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { drawSession } from '../../docs/recording/picture.ts'
import { linesOf } from '../../docs/recording/screen.ts'
import { checkSecrecy } from '../../docs/recording/session.ts'

const picture = readFileSync(new URL('../../docs/terminal-session.svg', import.meta.url), 'utf8')

/** What a reader of a picture sees. */
function textOf(svg: string): string {
  return [...svg.matchAll(/<text [^>]*>([^<]*)<\/text>/g)].map(([, text]) => text).join('\n')
}

describe('the picture of the terminal', () => {
  test('shows the four commands, and what came of them', () => {
    const text = textOf(picture)
    for (const command of ['doctor', 'login', 'list', 'proxy']) {
      expect(text).toContain(`npx mcp-credentials ${command}`)
    }
    expect(text).toContain('Recommended: authorizationCode()')
    expect(text).toContain('Logged in to http://127.0.0.1:8000/mcp')
    expect(text).toContain('Answer: hello')
    expect(picture.length).toBeLessThan(60_000)
  })

  test('shows neither a token nor anything else that is random', () => {
    const text = textOf(picture)
    expect(text).not.toMatch(/[\da-f]{8}-[\da-f]{4}-/)
    const words = text.match(/[\w-]{20,}/g) ?? []
    expect(words.filter((word) => /\d/.test(word) && /[A-Z]/.test(word))).toEqual([])
    expect(text.match(/127\.0\.0\.1:\d+/g)?.filter((host) => !/:[89]000$/.test(host))).toEqual([])
    expect(text).not.toContain('/tmp/')
  })

  test('is the same for the same session, and quotes what XML gives a meaning to', () => {
    const steps = [{ command: 'a <b> & c', output: '\u001b[32mok\u001b[39m "quoted"\r\n' }]
    const svg = drawSession(steps)
    expect(drawSession(steps)).toBe(svg)
    expect(textOf(svg).split('\n')).toEqual(['$ ', 'a &lt;b&gt; &amp; c', 'ok', ' "quoted"'])
    expect(svg).toContain('class="green">ok<')
  })
})

describe('the recording', () => {
  const request = (headers: Record<string, string>, body = '', url = 'http://127.0.0.1/') => ({
    headers: new Headers(headers),
    body,
    url: new URL(url),
  })

  test.each([
    ['an access token', [request({ Authorization: 'Bearer canary' })], 'canary'],
    ['a code', [request({}, 'code=canary&client_id=me')], 'see canary'],
    ['a refresh token that was never sent', [], 'refresh-0a1b2c3d-0000'],
  ])('fails when a command shows %s', (_secret, requests, output) => {
    const shows = [{ command: 'list', output }]
    expect(() => checkSecrecy(shows, requests)).toThrow('`list` shows a secret.')
    expect(() => checkSecrecy([{ command: 'list', output: 'mcp' }], requests)).not.toThrow()
  })

  test('breaks lines where the terminal does', () => {
    const lines = linesOf('abcdef\r\n\u001b[1mgh\u001b[22mijkl\r\n\r\n', 4)
    expect(lines.map((line) => line.map(({ text }) => text).join('|'))).toEqual([
      'abcd',
      'ef',
      'gh|ij',
      'kl',
      '',
    ])
  })

  test.each(['\u001b[2K', '\u001b[35m', '\t'])('refuses %j, which it cannot draw', (text) => {
    expect(() => linesOf(text, 80)).toThrow()
  })
})
