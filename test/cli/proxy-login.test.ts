import { expect, it, onTestFinished } from 'vitest'
import { loginOffer } from '../../src/cli/proxy-login.ts'
import { authorizedFetch, LoginRequiredError } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore, testServers } from '../../src/testing/index.ts'
import { lineClient } from '../support/bridge-client.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

it('brings a proxy that runs the scopes that a server wants', async () => {
  const { resource, mcp, authorizationServer, close } = await testServers()
  onTestFinished(close)
  const store = memoryStore()
  const person = authorizedFetch(
    authorizationCode({ onAuthorizationUrl: authorizationServer.visit }),
    { resource, store },
  )
  await person.login()
  await person.close()
  const { signal } = new AbortController()
  const settings = { resource: new URL(resource), store, signal, mayOpen: false, log: () => {} }
  const client = lineClient(resource, {
    provider: savedLogin(),
    store,
    onLoginRequired: (request) => loginOffer(request, settings),
  })
  const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  await client.initialize({ elicitation: { url: {} } })
  client.send(list)
  const before = await client.next()
  mcp.requireScope('notes:write')

  client.send(list)
  const refused = (await client.next()) as {
    error: { data: { elicitations: { url: string }[] } }
  }
  await authorizationServer.visit(new URL(refused.error.data.elicitations[0]?.url ?? ''))
  const over = await client.next()
  client.send(list)

  expect(before).toMatchObject({ result: {} })
  expect(over).toMatchObject({ method: 'notifications/elicitation/complete' })
  expect(await client.next()).toMatchObject({ id: 1, result: {} })
})

it('begins no login in the place of a key that the server refuses', async () => {
  const { resource, close } = await testServers()
  onTestFinished(close)
  const { signal } = new AbortController()
  const log: string[] = []
  const offer = await loginOffer(
    { error: new LoginRequiredError('key_rejected', 'No.'), clientShowsUrl: true },
    {
      resource: new URL(resource),
      store: memoryStore(),
      signal,
      mayOpen: true,
      log: (line) => log.push(line),
    },
  )
  expect(offer).toBeUndefined()
  expect(log).toEqual([])
})

it('reports a login that failed with commands, and without functions of the library', async () => {
  const server = await recordingOrigin((_request, response) => response.writeHead(401).end())
  const { signal } = new AbortController()
  const log: string[] = []
  const resource = new URL(`${server.origin}/mcp`)
  const error = new LoginRequiredError('no_credential', 'Nothing.')
  const settings = { resource, store: memoryStore(), signal, account: 'work', mayOpen: true }
  await loginOffer({ error, clientShowsUrl: true }, { ...settings, log: (line) => log.push(line) })
  expect(log).toHaveLength(1)
  expect(log[0]).toContain('The login failed: ')
  expect(log[0]).toContain(`npx mcp-credentials login ${resource} --account work --no-browser`)
  expect(log[0]).not.toMatch(/\(\)|issuer, or metadata|`\w+[A-Z]\w*`/)
})

it('asks for the scopes that a server wants besides those of the login before', async () => {
  const { resource, mcp, authorizationServer, close } = await testServers()
  onTestFinished(close)
  const store = memoryStore()
  const person = authorizedFetch(
    authorizationCode({ onAuthorizationUrl: authorizationServer.visit }),
    { resource, store },
  )
  await person.login()
  await person.close()
  mcp.requireScope('notes:write')
  const error = new LoginRequiredError('step_up', 'More.', { scope: 'mcp notes:write' })

  const offer = await loginOffer(
    { error, clientShowsUrl: true },
    {
      resource: new URL(resource),
      store,
      signal: new AbortController().signal,
      mayOpen: false,
      log: () => {},
    },
  )
  const url = new URL(offer?.url ?? '')
  await authorizationServer.visit(url)
  await offer?.completed

  expect(url.searchParams.get('scope')).toBe('mcp notes:write')
  const fetch = authorizedFetch(savedLogin(), { resource, store })
  onTestFinished(() => fetch.close())
  const request = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
  const { status } = await fetch(resource, { method: 'POST', body: JSON.stringify(request) })
  expect(status).not.toBe(403)
})
