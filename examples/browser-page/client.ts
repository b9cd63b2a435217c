import assert from 'node:assert/strict'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { publicClient } from '../servers/oauth-clients.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { allowOrigin, startChromium, startPage } from '../servers/page.ts'
import { show } from '../servers/tools.ts'

const { browser, page } = await startChromium()
const site = await startPage(new URL('.', import.meta.url))
const allowedOrigin = site.origin
const clients = [publicClient('notes-page', `${site.origin}/callback.html`)]
const authorizationServer = await startAuthorizationServer({
  ...{ clients, allowedOrigin },
  announce: show,
})
const configure = allowOrigin(site.origin)
const { issuer } = authorizationServer
const server = await startOAuthServer({ issuer, configure, announce: show })

console.log('the user opens the page and clicks')
await page.goto(`${site.origin}/?server=${encodeURIComponent(server.url.href)}`)
await page.click('button')
await page.waitForSelector('#answer:not(:empty)')
const answer = (await page.textContent('#answer')) ?? ''
console.log(`the page shows: ${answer}`)
assert.match(answer, /alice/)

await browser.close()
await site.close()
await server.close()
await authorizationServer.close()
