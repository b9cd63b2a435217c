import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type express from 'express'
import { type Browser, chromium, type Page } from 'playwright-core'
import { createCertificateAuthority } from './certificates.ts'
import { needOpenssl, skip } from './skip.ts'

/** A web page over https, whose script is bundled as for production. */
export interface RunningPage {
  readonly origin: string
  close(): Promise<void>
}

/** Serves the files of a folder: `*.html`, and `page.ts` bundled as `/page.js`. */
export async function startPage(folder: URL): Promise<RunningPage> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('page.ts', folder))],
    bundle: true,
    format: 'esm',
    platform: 'browser',
    outdir: '/',
    write: false,
  })
  const scripts = new Map(outputFiles.map(({ path, text }) => [path, text]))
  needOpenssl()
  const authority = createCertificateAuthority()
  const files = authority.issue('page', { server: true })
  const tls = { cert: readFileSync(files.cert), key: readFileSync(files.key) }
  authority.remove()
  const server = createServer(tls, ({ url = '' }, response) => {
    const [path = ''] = url.split('?')
    if (scripts.has(path)) {
      response.setHeader('Content-Type', 'text/javascript').end(scripts.get(path))
    } else if (/^\/\w*(\.html)?$/.test(path)) {
      const name = path === '/' ? 'index.html' : path.slice(1)
      response.setHeader('Content-Type', 'text/html').end(readFileSync(new URL(name, folder)))
    } else {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      server.close()
      server.closeAllConnections()
    },
  }
}

/** Lets the scripts of a page use an MCP server (CORS). */
export function allowOrigin(origin: string): (app: express.Express) => void {
  return (app) => {
    app.use((request, response, next) => {
      response.set({
        'Access-Control-Allow-Origin': origin,
        'Access-Control-Allow-Headers': 'authorization, content-type, mcp-protocol-version',
        'Access-Control-Expose-Headers': 'www-authenticate, mcp-session-id',
      })
      response.append('Access-Control-Allow-Headers', 'mcp-session-id, mcp-method, mcp-name')
      if (request.method === 'OPTIONS') response.status(204).end()
      else next()
    })
  }
}

/** Starts Chromium without a window; ends the example where there is none. */
export async function startChromium(): Promise<{ browser: Browser; page: Page }> {
  const executablePath = process.env['CHROMIUM'] ?? '/usr/bin/chromium'
  if (!existsSync(executablePath)) {
    skip('this example needs Chromium. Install it: apt-get install chromium, or set CHROMIUM')
  }
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
  const context = await browser.newContext({ ignoreHTTPSErrors: true })
  const page = await context.newPage()
  page.on('console', (message) => {
    if (message.type() === 'log') console.log(`the page: ${message.text()}`)
  })
  return { browser, page }
}
