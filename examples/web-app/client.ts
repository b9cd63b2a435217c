import assert from 'node:assert/strict'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { temporaryFolder } from '../servers/temporary.ts'
import { Browser } from './browser.ts'
import { runApp } from './run-app.ts'

const authorizationServer = await startAuthorizationServer()
const mcpServer = await startOAuthServer({ issuer: authorizationServer.issuer })
const app = await runApp(temporaryFolder())
const server = mcpServer.url.href

const ann = new Browser()
const mallory = new Browser()
await ann.submit(`${app.origin}/sign-in`, { user: 'ann' })
await mallory.submit(`${app.origin}/sign-in`, { user: 'mallory' })
console.log('ann and mallory have signed in to the application, each in a browser')

const login = await ann.submitOnly(`${app.origin}/connect`, { server })
console.log(`ann connects an MCP server, and is sent to ${new URL(login).origin}`)
await app.kill()
await app.start()
console.log('the application was killed and restarted during the login')

const callback = await ann.open(login, '/callback')
const stolen = await mallory.open(callback)
console.log('mallory has seen the callback URL, and opens it:', /login_\w+/.exec(stolen)?.[0])
assert.match(stolen, /login_state_invalid/)

await ann.open(callback)
const answer = await ann.submit(`${app.origin}/whoami`, { server })
console.log('ann returns, and the application calls whoami for her:', /alice/.exec(answer)?.[0])
assert.match(answer, /alice/)
const refused = await mallory.submit(`${app.origin}/whoami`, { server })
console.log('mallory asks for the same server:', /login_\w+/.exec(refused)?.[0])
assert.match(refused, /login_required/)

await app.kill()
for (const each of [mcpServer, authorizationServer]) await each.close()
