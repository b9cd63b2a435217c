import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { ConfigurationError, fromCommand, TokenManager } from '../../src/index.ts'
import { transportPortOf } from '../../src/manager/token-manager.ts'
import { applied } from '../support/acquire.ts'
import { testClock } from '../support/clock.ts'
import { isRunning } from '../support/processes.ts'

const now = testClock().now()
const expiry = now + 3_600_000
const seconds = expiry / 1000

const evaluate = (source: string, ...args: string[]) => [
  process.execPath,
  '--eval',
  source,
  ...args,
]
/** A command that prints its argument. */
const printing = (output: string) => evaluate('console.log(process.argv[1])', output)
const jwt = (claims: object) =>
  `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

async function sent(output: string) {
  const { request, credential } = await applied(fromCommand(printing(output)))
  return { authorization: request.headers.get('Authorization'), expiresAt: credential.expiresAt }
}

/** A command that counts its runs, and prints their number as the token. */
function counting(extra = '') {
  const folder = mkdtempSync(join(tmpdir(), 'from-command-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'runs')
  const argv = evaluate(
    `require('node:fs').appendFileSync(process.argv[1], '.')
     const accessToken = 'token-' + require('node:fs').readFileSync(process.argv[1]).length
     console.log(JSON.stringify({ accessToken${extra} }))`,
    path,
  )
  return { argv, runs: () => readFileSync(path).length }
}

describe('the output of a command', () => {
  test('is a plain token, which is used until it is refused', async () => {
    expect(await sent('opaque')).toEqual({ authorization: 'Bearer opaque', expiresAt: undefined })
  })

  test('is a JWT, which is used until its exp', async () => {
    const token = jwt({ exp: seconds })
    expect(await sent(token)).toEqual({ authorization: `Bearer ${token}`, expiresAt: expiry })
  })

  test('is a token in JSON quotes', async () => {
    expect(await sent('"opaque"')).toMatchObject({ authorization: 'Bearer opaque' })
  })

  test.each(['accessToken', 'access_token', 'token'])('is JSON with %s', async (name) => {
    const output = JSON.stringify({ [name]: 'opaque' }, undefined, 2)
    expect(await sent(output)).toMatchObject({ authorization: 'Bearer opaque' })
  })

  test.each<[string, unknown]>([
    ['expiresIn', 3600],
    ['expires_in', '3600'],
    ['expires_on', seconds],
    ['expires_on', String(seconds)],
    ['expiresOn', new Date(expiry).toISOString()],
    ['expiration', new Date(expiry).toISOString()],
    ['Expiration', '2026-01-01T01:00:00+00:00'],
    ['expiry', '2026-01-01T03:00:00+02:00'],
  ])('names in %s %j when the token expires', async (name, value) => {
    const { expiresAt } = await sent(JSON.stringify({ token: 'opaque', [name]: value }))
    expect(expiresAt).toBe(expiry)
  })

  test('can have the format of gcloud', async () => {
    const output = JSON.stringify({
      configuration: { active_configuration: 'default' },
      credential: {
        access_token: 'ya29.x',
        id_token: 'e30.e30.',
        token_expiry: '2026-01-01T01:00:00Z',
      },
      sentinels: { config_sentinel: '/home/agent/.config/gcloud/config_sentinel' },
    })
    expect(await sent(output)).toEqual({ authorization: 'Bearer ya29.x', expiresAt: expiry })
  })

  test('can have the format of az, whose timestamp takes precedence over its local date', async () => {
    const output = JSON.stringify({
      accessToken: 'opaque',
      expiresOn: '2026-01-01 17:00:00.000000',
      expires_on: seconds,
      tokenType: 'Bearer',
    })
    expect(await sent(output)).toEqual({ authorization: 'Bearer opaque', expiresAt: expiry })
  })

  test('can contain a date without a time zone, which is local time', async () => {
    const { expiresAt } = await sent('{"accessToken":"t","expiresOn":"2026-01-02 17:00:00.000000"}')
    expect(expiresAt).toBe(new Date(2026, 0, 2, 17).getTime())
  })

  test('takes precedence over the exp of its JWT, which is used if the JSON has no expiry', async () => {
    const token = jwt({ exp: seconds + 60 })
    expect(await sent(JSON.stringify({ token, expiresIn: 3600 }))).toMatchObject({
      expiresAt: expiry,
    })
    expect(await sent(JSON.stringify({ token, expiry: null }))).toMatchObject({
      expiresAt: expiry + 60_000,
    })
  })

  test('can have expired already; the server then refuses the token', async () => {
    const output = JSON.stringify({ token: 'opaque', expires_on: now / 1000 })
    expect(await sent(output)).toEqual({ authorization: 'Bearer opaque', expiresAt: undefined })
  })

  test.each([
    ['no token', '{"secret":"cAnArY"}'],
    ['an invalid token', '{"token":["cAnArY"]}'],
    ['broken JSON', '{"token":"cAnArY"'],
    ['a token with a line break', '{"token":"cAn\\ncAnArY"}'],
    ['prose', 'Please log in, cAnArY'],
    ['the beginning of a page', '<html>'],
    ['a token in quotes', "'cAnArY'"],
    ['the word Bearer before it', 'Bearer cAnArY'],
    ['several lines', 'cAnArY\ncAnArY'],
    ['an empty token', '{"token":""}'],
    ['an invalid lifetime', '{"token":"t","expiresIn":"cAnArY"}'],
    ['a date as a life', '{"token":"t","expires_in":"2026-01-01T01:00:00Z"}'],
    ['an invalid date', '{"token":"t","expiry":"cAnArY"}'],
  ])('with %s is rejected without showing it', async (_what, output) => {
    const error: unknown = await sent(output).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'invalid_response', provider: 'fromCommand' })
    expect(inspect(error, { showHidden: true })).not.toContain('cAnArY')
  })
})

describe('a command', () => {
  const managed = (argv: readonly string[]) => {
    const clock = testClock()
    const resource = 'https://mcp.example.com/mcp'
    const provider = fromCommand(argv)
    return { clock, manager: new TokenManager(provider, { resource, now: clock.now }) }
  }

  test('runs once while its token is valid, and again before it expires', async () => {
    const { argv, runs } = counting(', expiresIn: 3600')
    const { clock, manager } = managed(argv)
    await Promise.all([manager.credential(), manager.credential()])
    clock.advance(3_000_000)
    await manager.credential()
    expect(runs()).toBe(1)
    clock.advance(595_000)
    await manager.credential()
    expect(runs()).toBe(2)
  })

  test('runs again after its token was refused', async () => {
    const { argv, runs } = counting()
    const { clock, manager } = managed(argv)
    const first = await manager.credential()
    clock.advance(60_000)
    transportPortOf(manager).rejected(first, {})
    expect(await manager.credential()).not.toBe(first)
    expect(runs()).toBe(2)
  })

  test('that fails is reported without its output', async () => {
    const argv = evaluate('console.log("cAnArY"); console.error("cAnArY"); process.exit(4)')
    const error: unknown = await applied(fromCommand(argv)).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: 'secret_unavailable',
      message: expect.stringContaining('exit status 4'),
    })
    expect(inspect(error, { showHidden: true })).not.toContain('cAnArY')
  })

  test('has standard input closed, and a time limit', async () => {
    const reading = evaluate('process.stdin.on("end", () => console.log("ended")).resume()')
    const { request } = await applied(fromCommand(reading))
    expect(request.headers.get('Authorization')).toBe('Bearer ended')
    const endless = fromCommand(evaluate('setInterval(() => {}, 1000)'), { timeout: 0.2 })
    await expect(applied(endless)).rejects.toMatchObject({ code: 'secret_unavailable' })
  })

  test('is killed when the acquisition is cancelled', async () => {
    const controller = new AbortController()
    const endless = fromCommand(evaluate('setInterval(() => {}, 1000)'))
    const acquiring = applied(endless, { signal: controller.signal })
    const reason = new Error('closed')
    controller.abort(reason)
    await expect(acquiring).rejects.toBe(reason)
  })

  test.skipIf(process.platform === 'win32')(
    'is killed when the manager is closed',
    { timeout: 20_000 },
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'from-command-test-'))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      const path = join(folder, 'pid')
      const { manager } = managed(
        evaluate(
          `require('node:fs').writeFileSync(process.argv[1], String(process.pid))
           setTimeout(() => {}, 60_000)`,
          path,
        ),
      )
      const acquiring = manager.credential()
      const isAtWork = () => existsSync(path) && isRunning(readFileSync(path, 'utf8'))
      await vi.waitUntil(isAtWork, 10_000)
      await Promise.all([
        manager.close(),
        expect(acquiring).rejects.toMatchObject({ code: 'closed' }),
      ])
      await vi.waitUntil(() => !isAtWork(), 10_000)
    },
  )

  test('is checked immediately', () => {
    expect(() => fromCommand([])).toThrow(ConfigurationError)
    expect(() => fromCommand(['x'], { timeout: 0 })).toThrow(ConfigurationError)
    expect(() => fromCommand(['x'], { timeOut: 5 } as never)).toThrow(/timeOut/)
  })
})
