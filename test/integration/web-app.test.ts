import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startAuthorizationServer } from '../../examples/servers/authorization-server.ts'
import { startOAuthServer } from '../../examples/servers/oauth-server.ts'
import { type RunningApp, runApp } from '../../examples/web-app/run-app.ts'

/** The application, an MCP server and its authorization server, and a browser for each user. */
async function setting() {
  const as = await startAuthorizationServer({ manual: true })
  onTestFinished(() => as.close())
  const mcp = await startOAuthServer({ issuer: as.issuer })
  onTestFinished(() => mcp.close())
  const directory = await mkdtemp(join(tmpdir(), 'web-app-'))
  onTestFinished(() => rm(directory, { recursive: true }))
  const app = await runApp(directory)
  onTestFinished(() => app.kill())
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  onTestFinished(() => browser.close())
  const signIn = async (user: string) => {
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(app.origin)
    await page.fill('input[name=user]', user)
    await page.click('button')
    await page.waitForSelector(`h1:has-text("${user}")`)
    return { context, page }
  }
  return { app, mcp, as, signIn }
}

/** Asks the application to connect the server, up to the page where the authorization server asks who it is. */
async function connect(page: Page, server: URL): Promise<void> {
  await page.fill('input[name=server]', server.href)
  await page.click('button:has-text("Connect")')
  await page.waitForSelector('input[name=login]')
}

/** Logs in at the authorization server, up to the question whether the application may have access. */
async function logIn(page: Page, login: string): Promise<void> {
  await page.fill('input[name=login]', login)
  await page.fill('input[name=password]', 'any')
  await page.click('button[type=submit]')
  await page.waitForSelector('button:has-text("Continue")')
}

async function whoami(page: Page, origin: string, server: URL): Promise<string> {
  await page.goto(origin)
  await page.fill('input[name=server]', server.href)
  await page.click('button:has-text("Who am I?")')
  return (await page.textContent('#answer, #error')) ?? ''
}

/** Consents while the application is down, and returns where the browser would have gone. */
async function takeCallback(page: Page, app: RunningApp): Promise<string> {
  await app.kill()
  const going = page.waitForRequest((request) => new URL(request.url()).pathname === '/callback')
  await page.click('button[type=submit]')
  const url = (await going).url()
  await app.start()
  return url
}

// Two browsers and an application that is started several times take long on a busy machine.
describe('a web application in a browser', { timeout: 120_000 }, () => {
  it('lets each of two users use a login of their own, although it is restarted between the halves', async () => {
    const { app, mcp, signIn } = await setting()
    const ann = await signIn('ann')
    const ben = await signIn('ben')
    await connect(ann.page, mcp.url)
    await connect(ben.page, mcp.url)

    await app.kill()
    await app.start()
    for (const [{ page }, login] of [
      [ann, 'ann-at-notes'] as const,
      [ben, 'ben-at-notes'] as const,
    ]) {
      await logIn(page, login)
      await page.click('button[type=submit]')
      await page.waitForURL(`${app.origin}/`)
    }

    expect(await whoami(ann.page, app.origin, mcp.url)).toContain('ann-at-notes')
    expect(await whoami(ben.page, app.origin, mcp.url)).toContain('ben-at-notes')
    await app.kill()
    await app.start()
    expect(await whoami(ann.page, app.origin, mcp.url)).toContain('ann-at-notes')
  })

  it('refuses a stolen callback, with and without the state, in the session of another user', async () => {
    const { app, mcp, as, signIn } = await setting()
    const ann = await signIn('ann')
    const mallory = await signIn('mallory')
    await connect(ann.page, mcp.url)
    await logIn(ann.page, 'ann-at-notes')
    const callback = await takeCallback(ann.page, app)

    const errorAt = async (url: string) => {
      await mallory.page.goto(url)
      return mallory.page.textContent('#error')
    }
    expect(await errorAt(callback)).toContain('login_state_invalid')
    const states = (await ann.context.cookies()).filter(({ name }) => name.startsWith('login-'))
    await mallory.context.addCookies(states)
    expect(await errorAt(callback)).toContain('login_mismatch')
    expect(as.tokenRequests).toEqual([])
    expect(await whoami(mallory.page, app.origin, mcp.url)).toContain('login_required')

    await ann.page.goto(callback)
    expect(await whoami(ann.page, app.origin, mcp.url)).toContain('ann-at-notes')
    await ann.context.addCookies(states)
    await ann.page.goto(callback)
    expect(await ann.page.textContent('#error')).toContain('login_used')
    expect(as.tokenRequests).toHaveLength(1)
  })
})
