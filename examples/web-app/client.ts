import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startAuthorizationServer } from '../servers/authorization-server.ts'
import { startOAuthServer } from '../servers/oauth-server.ts'
import { Browser } from './browser.ts'
import { runApp } from './run-app.ts'

const authorizationServer = await startAuthorizationServer()
const mcpServer = await startOAuthServer({ issuer: authorizationServer.issuer })
const directory = await mkdtemp(join(tmpdir(), 'web-app-'))
const app = await runApp(directory)
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
console.log('meanwhile the application was killed, and started again')

const callback = await ann.open(login, '/callback')
const stolen = await mallory.open(callback)
console.log('mallory has seen the way back, and opens it:', /login_\w+/.exec(stolen)?.[0])
assert.match(stolen, /login_state_invalid/)

await ann.open(callback)
const answer = await ann.submit(`${app.origin}/whoami`, { server })
console.log('ann goes back, and the application calls whoami for her:', /alice/.exec(answer)?.[0])
assert.match(answer, /alice/)
assert.match(await ann.open(callback), /login_\w+/)
assert.match(await mallory.submit(`${app.origin}/whoami`, { server }), /login_required/)
console.log('nobody else can use her login')

await app.kill()
await rm(directory, { recursive: true })
await mcpServer.close()
await authorizationServer.close()
