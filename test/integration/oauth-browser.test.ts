import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import { expect, onTestFinished, test, vi } from 'vitest'
import { startAuthorizationServer } from '../../examples/servers/authorization-server.ts'
import { startOAuthServer } from '../../examples/servers/oauth-server.ts'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { testServers } from '../../src/testing/index.ts'
import { sdks } from '../support/sdk.ts'

test('a person clicks through a login in a real browser', async () => {
  const as = await startAuthorizationServer({ manual: true })
  onTestFinished(() => as.close())
  const server = await startOAuthServer({ issuer: as.issuer })
  onTestFinished(() => server.close())
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  const page = await browser.newPage()
  const problems: string[] = []
  page.on('console', (message) => {
    if (new URL(message.location().url).pathname === '/callback') problems.push(message.text())
  })

  const provider = authorizationCode({
    clientName: 'Notes agent',
    // Returns at once, as showing a URL to a person does.
    onAuthorizationUrl: (url) => void click(url.href),
  })
  async function click(url: string): Promise<void> {
    await page.goto(url)
    await page.fill('input[name=login]', 'bob')
    await page.fill('input[name=password]', 'any')
    await page.click('button[type=submit]')
    await page.waitForSelector('button:has-text("Continue")')
    await page.click('button[type=submit]')
  }
  const fetch = authorizedFetch(provider, { resource: server.url })
  await fetch.manager.credential()
  await page.waitForSelector('h1:has-text("The login is complete.")')
  expect(await page.title()).toBe('Sign-in')
  expect(new URL(page.url()).hostname).toBe('127.0.0.1')
  expect(problems).toEqual([])

  const sdk = sdks.at(-1)
  const client = sdk?.client()
  await client?.connect(sdk?.streamable(server.url, { fetch }) as never)
  expect(JSON.stringify(await client?.callTool({ name: 'whoami' }))).toContain('bob')
  await client?.close()
})

test('a browser that is opened here logs in, and no command line of it shows the login', async () => {
  const { resource, authorizationServer, close } = await testServers()
  onTestFinished(close)
  const folder = await mkdtemp(join(tmpdir(), 'chromium-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  const chromiumPath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
  const program = join(folder, 'browser')
  // Chromium starts a process for each of its parts, and hands its own arguments on to some of them.
  await writeFile(
    program,
    `#!/bin/sh
${chromiumPath} --headless --no-sandbox --user-data-dir=${folder}/profile --dump-dom "$1" > ${folder}/page 2> /dev/null &
pid=$!
while kill -0 $pid 2> /dev/null; do cat /proc/[0-9]*/cmdline 2> /dev/null | tr '\\0' '\\n' >> ${folder}/lines; sleep 0.05; done
`,
  )
  await chmod(program, 0o700)
  vi.stubEnv('BROWSER', program)
  vi.stubEnv('DISPLAY', '')
  vi.stubEnv('WAYLAND_DISPLAY', '')
  onTestFinished(() => void vi.unstubAllEnvs())

  await authorizedFetch(authorizationCode(), { resource }).login()
  await vi.waitFor(
    async () =>
      expect(await readFile(`${folder}/page`, 'utf8')).toContain('The login is complete.'),
    {
      timeout: 20_000,
    },
  )
  const lines = await readFile(`${folder}/lines`, 'utf8')
  expect(lines).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/[\w-]{43}$/m)
  expect(lines).not.toContain('code_challenge')
  expect(lines).not.toContain(`${authorizationServer.issuer}/authorize`)
})
