import { chromium } from 'playwright-core'
import { expect, onTestFinished, test } from 'vitest'
import { startAuthorizationServer } from '../../examples/servers/authorization-server.ts'
import { startOAuthServer } from '../../examples/servers/oauth-server.ts'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
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
  await page.waitForSelector('h1:has-text("Thank you.")')
  expect(await page.title()).toBe('Sign-in')
  expect(new URL(page.url()).hostname).toBe('127.0.0.1')
  expect(problems).toEqual([])

  const [, , sdk] = sdks
  const client = sdk?.client()
  await client?.connect(sdk?.streamable(server.url, { fetch }) as never)
  expect(JSON.stringify(await client?.callTool({ name: 'whoami' }))).toContain('bob')
  await client?.close()
})
