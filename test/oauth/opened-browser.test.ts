import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { oauthWorld, type World } from '../support/oauth-world.ts'

/** Makes this script the user's browser. Its variable `url` is the URL to open. */
async function useBrowser(script: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'browser-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const program = join(folder, 'browser.mjs')
  const seen = join(folder, 'seen')
  await writeFile(
    program,
    `#!${process.execPath}
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
const url = process.argv[2]
const note = (value) => writeFileSync(${JSON.stringify(seen)}, JSON.stringify(value))
${script}`,
  )
  await chmod(program, 0o700)
  vi.stubEnv('BROWSER', program)
  vi.stubEnv('DISPLAY', '')
  vi.stubEnv('WAYLAND_DISPLAY', '')
  onTestFinished(() => void vi.unstubAllEnvs())
  return seen
}

const send = (world: World) => authorizedFetch(authorizationCode(), { resource: world.url })

test('a browser is opened without the authorization URL on a command line', async () => {
  const seen = await useBrowser(`
const read = (id) => { try { return readFileSync('/proc/' + id + '/cmdline', 'utf8') } catch { return '' } }
note(readdirSync('/proc').filter((id) => /^\\d+$/.test(id)).map(read))
await fetch(url)`)
  const world = await oauthWorld()
  await send(world).login()
  const lines = JSON.parse(await readFile(seen, 'utf8')) as string[]
  const [login] = world.logins()
  expect(lines.some((line) => line.includes('http://127.0.0.1:'))).toBe(true)
  for (const secret of ['code_challenge', String(login?.['state']), `${world.issuer}/authorize`]) {
    expect(lines.filter((line) => line.includes(secret))).toEqual([])
  }
}, 20_000)

test('the page for the browser redirects to the login once, and a second request cancels the login', async () => {
  const seen = await useBrowser(`
const first = await fetch(url, { redirect: 'manual' })
const again = await fetch(url, { redirect: 'manual' })
note([first.status, first.headers.get('location'), first.headers.get('referrer-policy'), first.headers.get('cache-control'), again.status, again.headers.get('location'), await again.text()])`)
  const world = await oauthWorld()
  await expect(send(world).login()).rejects.toMatchObject({
    code: 'login_required',
    message: expect.stringMatching(/requested twice.*another program on this machine/),
  })
  await vi.waitFor(() => readFile(seen))
  const [status, location, referrer, cache, again, second, text] = JSON.parse(
    await readFile(seen, 'utf8'),
  ) as string[]
  expect([status, referrer, cache, again, second]).toEqual([
    303,
    'no-referrer',
    'no-store',
    410,
    null,
  ])
  expect(location).toMatch(new RegExp(`^${world.issuer}/authorize\\?`))
  expect(text).toContain('The login failed.')
  expect(world.logins()).toEqual([])
}, 20_000)

test('requests that a browser does not make do not use up the page', async () => {
  await useBrowser(`
const other = new URL(url)
other.pathname = '/' + 'A'.repeat(43)
await fetch(other, { redirect: 'manual' })
await fetch(url, { method: 'HEAD', redirect: 'manual' })
await fetch(url, { method: 'POST', redirect: 'manual' })
await fetch(url, { headers: { 'sec-purpose': 'prefetch' }, redirect: 'manual' })
await fetch(url)`)
  const world = await oauthWorld()
  await send(world).login()
  expect(world.logins()).toHaveLength(1)
}, 20_000)

// Only the superuser can act as another user.
test.runIf(process.getuid?.() === 0)(
  'another user who reads the command line first receives nothing, and does not disturb the login',
  async () => {
    const seen = await useBrowser(`
import { execFileSync } from 'node:child_process'
const script = "fetch(" + JSON.stringify(url) + ", { redirect: 'manual' }).then((answer) => console.log(answer.status, answer.headers.get('location')))"
note(execFileSync(process.execPath, ['--eval', script], { uid: 12345, gid: 12345, cwd: '/', encoding: 'utf8' }))
await fetch(url)`)
    const world = await oauthWorld()
    await send(world).login()
    expect(JSON.parse(await readFile(seen, 'utf8'))).toBe('403 null\n')
    expect(world.logins()).toHaveLength(1)
  },
  20_000,
)
