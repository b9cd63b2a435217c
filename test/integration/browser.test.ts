import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'

// Only as a type: the page loads the bundled package.
type Core = typeof import('mcp-credentials')

interface SeenRequest {
  readonly method: string
  readonly url: string
  readonly authorization: string | undefined
  readonly body: string
}
interface Site {
  readonly origin: string
  readonly requests: SeenRequest[]
  close(): Promise<void>
}

const core = await build({
  stdin: { contents: "export * from 'mcp-credentials'", resolveDir: import.meta.dirname },
  bundle: true,
  format: 'esm',
  platform: 'browser',
  external: ['jose'],
  write: false,
})

/** An MCP server that refuses `old`, moves `/moved`, and serves the page and the library. */
async function startSite(allowedOrigin?: string): Promise<Site> {
  const requests: SeenRequest[] = []
  const server = createServer(async (message: IncomingMessage, response: ServerResponse) => {
    const { method = '', url = '' } = message
    let body = ''
    for await (const chunk of message) body += chunk
    if (allowedOrigin !== undefined) {
      response.setHeader('Access-Control-Allow-Origin', allowedOrigin)
      response.setHeader('Access-Control-Allow-Headers', 'authorization, content-type')
    }
    if (method === 'OPTIONS') return void response.end()
    if (url === '/') {
      response.setHeader('Content-Type', 'text/html')
      return void response.end('<!doctype html><title>Test</title><link rel="icon" href="data:,">')
    }
    if (url === '/core.js') {
      response.setHeader('Content-Type', 'text/javascript')
      return void response.end(core.outputFiles[0]?.text)
    }
    const { authorization } = message.headers
    requests.push({ method, url, authorization, body })
    if (url === '/moved') return void response.writeHead(307, { Location: '/mcp' }).end()
    response.statusCode = authorization === 'Bearer old' ? 401 : 200
    response.setHeader('WWW-Authenticate', 'Bearer')
    response.end('{}')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  return { origin: `http://127.0.0.1:${port}`, requests, close }
}

describe('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
    browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  })
  afterAll(() => browser.close())

  async function opened(): Promise<{ site: Site; page: Page }> {
    const site = await startSite()
    onTestFinished(() => site.close())
    const page = await browser.newPage()
    onTestFinished(() => page.close())
    await page.goto(site.origin)
    // Modules are loaded once for each page; the tests find the library where a script would put it.
    await page.evaluate("import('/core.js').then((core) => { globalThis.core = core })")
    return { site, page }
  }

  it('a request carries the credential', async () => {
    const { site, page } = await opened()

    const status = await page.evaluate(async () => {
      const { authorizedFetch, bearer } = (globalThis as unknown as { core: Core }).core
      const url = `${location.origin}/mcp`
      const send = authorizedFetch(bearer('key'), { resource: url })
      return (await send(url, { method: 'POST', body: '{"id":1}' })).status
    })

    expect(status).toBe(200)
    const seen = { method: 'POST', url: '/mcp', authorization: 'Bearer key', body: '{"id":1}' }
    expect(site.requests).toEqual([seen])
  })

  it('a relative URL is that of the page', async () => {
    const { site, page } = await opened()

    const status = await page.evaluate(async () => {
      const { authorizedFetch, bearer } = (globalThis as unknown as { core: Core }).core
      const send = authorizedFetch(bearer('key'), { resource: `${location.origin}/mcp` })
      return (await send('/mcp', { method: 'POST', body: '{"id":1}' })).status
    })

    expect(status).toBe(200)
    expect(site.requests.map(({ authorization }) => authorization)).toEqual(['Bearer key'])
  })

  it('a Request keeps its method and its body', async () => {
    const { site, page } = await opened()

    await page.evaluate(async () => {
      const { authorizedFetch, bearer } = (globalThis as unknown as { core: Core }).core
      const url = `${location.origin}/mcp`
      const send = authorizedFetch(bearer('key'), { resource: url })
      await send(new Request(url, { method: 'POST', body: '{"id":1}' }))
      await send(url, new Request(url, { method: 'POST', body: '{"id":2}' }))
    })

    expect(site.requests.map(({ method, body }) => `${method} ${body}`)).toEqual([
      'POST {"id":1}',
      'POST {"id":2}',
    ])
  })

  it('a 401 is answered with a renewed credential and the same body', async () => {
    const { site, page } = await opened()

    const result = await page.evaluate(async () => {
      const { authorizedFetch } = (globalThis as unknown as { core: Core }).core
      const tokens = ['old', 'new']
      let acquired = 0
      const provider = {
        name: 'tokens',
        async acquire() {
          const token = tokens[acquired]
          acquired += 1
          return {
            apply: ({ headers }: { headers: Headers }) =>
              headers.set('Authorization', `Bearer ${token}`),
          }
        },
      }
      const url = `${location.origin}/mcp`
      const send = authorizedFetch(provider, { resource: url })
      const init = { method: 'POST', body: '{"id":1}' }
      const answers = await Promise.all([send(url, init), send(url, init), send(url, init)])
      return { statuses: answers.map(({ status }) => status), acquired }
    })

    expect(result).toEqual({ statuses: [200, 200, 200], acquired: 2 })
    const last = { method: 'POST', url: '/mcp', authorization: 'Bearer new', body: '{"id":1}' }
    expect(site.requests.at(-1)).toEqual(last)
  })

  it('a server of another origin that allows it gets the credential, and a 401 heals', async () => {
    const { site, page } = await opened()
    const other = await startSite(site.origin)
    onTestFinished(() => other.close())

    const status = await page.evaluate(async (origin) => {
      const { authorizedFetch, bearer } = (globalThis as unknown as { core: Core }).core
      let reads = 0
      const provider = bearer(() => {
        reads += 1
        return reads === 1 ? 'old' : 'new'
      })
      const send = authorizedFetch(provider, { resource: `${origin}/mcp` })
      return (await send(`${origin}/mcp`, { method: 'POST', body: '{}' })).status
    }, other.origin)

    expect(status).toBe(200)
    const sent = other.requests.map(({ authorization }) => authorization)
    expect(sent).toEqual(['Bearer old', 'Bearer new'])
  })

  it('a redirect, which a browser keeps to itself, ends in an error that says what to do', async () => {
    const { site, page } = await opened()

    const result = await page.evaluate(async () => {
      const { authorizedFetch, bearer } = (globalThis as unknown as { core: Core }).core
      const events: string[] = []
      const resource = `${location.origin}/mcp`
      const onEvent = ({ type }: { type: string }) => void events.push(type)
      const send = authorizedFetch(bearer('key'), { resource, onEvent })
      const outcome = await send(`${location.origin}/moved`, { method: 'POST', body: '{}' }).then(
        ({ status, type }) => `${status} ${type}`,
        (error: Error) => `${error.name}: ${error.message}`,
      )
      return { outcome, events }
    })

    expect(result.outcome).toMatch(/^CredentialError: .*redirect.*final URL/is)
    expect(result.events).toContain('redirect_refused')
    expect(site.requests.map(({ url }) => url)).toEqual(['/moved'])
  })
})
