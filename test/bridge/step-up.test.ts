import { describe, expect, it, onTestFinished } from 'vitest'
import { auto } from '../../src/auto/index.ts'
import { authorizedFetch, custom, LoginRequiredError } from '../../src/index.ts'
import { authorizationCode } from '../../src/oauth/index.ts'
import { memoryStore, testServers } from '../../src/testing/index.ts'
import { lineClient } from '../support/bridge-client.ts'
import { scriptedMcp } from '../support/scripted-mcp.ts'

/** A client of a server that wants more than the login that is stored. */
async function loggedIn(options: { readonly account?: string } = {}) {
  const { resource, mcp, authorizationServer, close } = await testServers()
  onTestFinished(close)
  const store = memoryStore()
  const person = authorizedFetch(
    authorizationCode({ onAuthorizationUrl: authorizationServer.visit }),
    { resource, store, ...options },
  )
  await person.login()
  await person.close()
  const provider = auto({ config: false, store })
  const client = lineClient(resource, { provider, store, ...options })
  await client.initialize()
  mcp.requireScope('notes:write')
  return { client, resource }
}

const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }

describe('a server that wants further scopes', () => {
  it('is answered for with the login to type, and again for the next request', async () => {
    const { client, resource } = await loggedIn()

    client.send(list)
    const first = await client.next()
    client.send(list)
    const second = await client.next()

    const command = `npx mcp-credentials login ${resource.href} --scope 'mcp notes:write'`
    for (const answer of [first, second]) {
      expect(answer).toMatchObject({
        id: 1,
        error: {
          code: -32000,
          message: expect.stringMatching(/further scopes.*Run `npx/),
          data: { code: 'login_required', remedy: `Run \`${command}\`.` },
        },
      })
    }
    expect(JSON.stringify(first)).not.toContain('beginLogin')
  })

  it('is answered for with the account that the login is for', async () => {
    const { client } = await loggedIn({ account: 'work' })

    client.send(list)

    expect(JSON.stringify(await client.next())).toContain(
      " --scope 'mcp notes:write' --account work`",
    )
  })
})

describe('a login that is required by a provider that names no command', () => {
  it('is answered for with the command as well, without a scope that a shell would act on', async () => {
    const server = await scriptedMcp()
    const provider = custom({
      acquire: () => {
        throw new LoginRequiredError('step_up', 'More rights are needed.', {
          scope: "a';reboot;'",
          remedy: 'Ask your administrator.',
        })
      },
    })
    const client = lineClient(server.url, { provider })

    client.send(list)
    const text = await client.nextLine()

    expect(text).toContain(`npx mcp-credentials login ${server.url}\``)
    expect(text).not.toContain('reboot')
  })
})
