import type { AddressInfo } from 'node:net'
import express from 'express'
import { isCredentialError } from 'mcp-credentials'
import { mcpLogins } from './mcp-logins.ts'
import { serverPage, signInPage, textPage } from './pages.ts'
import { beginSession, cookieOf, cookieOptions, sessionOf } from './session.ts'

// What outlives a request is in the store or in cookies, so the application may be restarted at any time.
const app = express()
const listening = app.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1')
await new Promise((resolve) => listening.once('listening', resolve))
const origin = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`
const logins = mcpLogins(origin)

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
  const { url, state, id, expiresAt } = await logins.begin(String(request.body.server), session)
  response.cookie(`login-${id}`, state, { ...cookieOptions, expires: new Date(expiresAt) })
  response.redirect(303, url.href)
})

app.get('/callback', async (request, response) => {
  const session = await sessionOf(request)
  if (session === undefined) return response.redirect(303, '/')
  const name = `login-${request.query['state']}`
  await logins.finish(request.originalUrl, cookieOf(request, name), session)
  response.clearCookie(name, cookieOptions)
  response.redirect(303, '/')
})

app.post('/whoami', async (request, response) => {
  const session = await sessionOf(request)
  if (session === undefined) return response.redirect(303, '/')
  response.send(textPage('answer', await logins.whoami(String(request.body.server), session)))
})

app.use((error: unknown, _request: unknown, response: express.Response, _next: unknown) => {
  // Messages of this library hold no secret and say what to do; nothing is shown of others.
  const isKnown = isCredentialError(error)
  const text = isKnown ? `${error.code}: ${error.message}` : 'Something went wrong.'
  response.status(isKnown ? 400 : 500).send(textPage('error', text))
})

process.send?.(origin)
