import type { AddressInfo } from 'node:net'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import express from 'express'
import { env, isCredentialError, withCredentials } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { savedLogin } from 'mcp-credentials/oauth'
import { webLogins } from 'mcp-credentials/web'
import { serverPage, signInPage, textPage } from './pages.ts'
import { beginSession, cookieOf, cookieOptions, sessionOf } from './session.ts'

// What outlives a request is in the store or in cookies, so the application may be restarted at any time.
const app = express()
const listening = app.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1')
await new Promise((resolve) => listening.once('listening', resolve))
const origin = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`

const directory = process.env['STORE_DIRECTORY'] ?? ''
const store = encryptedFileStore({ key: env('STORE_KEY'), directory })
const logins = webLogins({
  key: env('LOGIN_KEY'),
  redirectUri: `${origin}/callback`,
  clientName: 'Notes for teams',
  store,
})

app.use(express.urlencoded({ extended: false }))

app.get('/', async (request, response) => {
  const session = await sessionOf(request)
  response.send(session === undefined ? signInPage : serverPage(session.user))
})

app.post('/sign-in', async (request, response) => {
  await beginSession(response, String(request.body.user))
  response.redirect(303, '/')
})

app.post('/connect', async (request, response) => {
  const session = await sessionOf(request)
  if (session === undefined) return response.redirect(303, '/')
  const { url, state, id, expiresAt } = await logins.beginLogin({
    resource: String(request.body.server),
    account: session.user,
    session: session.id,
  })
  response.cookie(`login-${id}`, state, { ...cookieOptions, expires: new Date(expiresAt) })
  response.redirect(303, url.href)
})

app.get('/callback', async (request, response) => {
  const session = await sessionOf(request)
  if (session === undefined) return response.redirect(303, '/')
  const name = `login-${request.query['state']}`
  const state = cookieOf(request, name)
  await logins.finishLogin(request.originalUrl, state, { session: session.id })
  response.clearCookie(name, cookieOptions)
  response.redirect(303, '/')
})

app.post('/whoami', async (request, response) => {
  const session = await sessionOf(request)
  if (session === undefined) return response.redirect(303, '/')
  const url = new URL(String(request.body.server))
  const options = withCredentials(savedLogin(), { resource: url, store, account: session.user })
  const client = new Client({ name: 'notes-for-teams', version: '1.0.0' })
  try {
    await client.connect(new StreamableHTTPClientTransport(url, options))
    const { content } = await client.callTool({ name: 'whoami' })
    response.send(textPage('answer', JSON.stringify(content)))
  } finally {
    await client.close()
    await options.close()
  }
})

app.use((error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
  // Messages of this library hold no secret and say what to do; nothing is shown of others.
  const isKnown = isCredentialError(error)
  const text = isKnown ? `${error.code}: ${error.message}` : 'Something went wrong.'
  response.status(isKnown ? 400 : 500).send(textPage('error', text))
})

process.send?.(origin)
