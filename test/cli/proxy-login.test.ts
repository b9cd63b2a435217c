import { expect, it, onTestFinished } from 'vitest'
import { loginOffer } from '../../src/cli/proxy-login.ts'
import { authorizedFetch, LoginRequiredError } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore, testServers } from '../../src/testing/index.ts'

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
