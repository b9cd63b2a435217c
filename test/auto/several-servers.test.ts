import { expect, test } from 'vitest'
import { auto, saveKey } from '../../src/auto/index.ts'
import { autoProvider } from '../../src/auto/provider.ts'
import { loginAtTerminal } from '../../src/auto/terminal-login.ts'
import { authorizedFetch } from '../../src/index.ts'
import { authorizationCode, savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { oauthWorld, tokenAnswer } from '../support/oauth-world.ts'
import { recordingOrigin, wantsHeader } from '../support/recording-origin.ts'

const keyOf = (value: string) => ({ type: 'apiKey', header: 'X-From', value }) as const

test('auto() serves several servers, whichever of their clients is closed or made anew', async () => {
  const store = memoryStore()
  const provider = auto({ config: false, store })
  const servers = await Promise.all(['one', 'two'].map(() => recordingOrigin()))
  const [first, second] = servers.map(({ origin }) => `${origin}/mcp`) as [string, string]
  await saveKey(store, { resource: first, key: keyOf('canary-1') })
  await saveKey(store, { resource: second, key: keyOf('canary-2') })
  const client = (resource: string) => authorizedFetch(provider, { resource })
  const [one, sibling, two] = [client(first), client(first), client(second)]
  await Promise.all([one(first), two(second)])
  await one.close()
  await expect(one(first)).rejects.toMatchObject({ code: 'closed' })
  await sibling(first)
  await two(second)
  await client(first)(first)
  const sent = servers.map(({ requests }) => requests.map(({ headers }) => headers['x-from']))
  expect(sent).toEqual([
    ['canary-1', 'canary-1', 'canary-1'],
    ['canary-2', 'canary-2'],
  ])
})

test('a logout of one client of auto() ends what another sends to that server alone', async () => {
  const store = memoryStore()
  const provider = auto({ config: false, store })
  const [{ origin }, other] = [
    await recordingOrigin(wantsHeader('x-from')),
    await recordingOrigin(),
  ]
  const [first, second] = [`${origin}/mcp`, `${other.origin}/mcp`]
  await saveKey(store, { resource: first, key: keyOf('canary-1') })
  await saveKey(store, { resource: second, key: keyOf('canary-2') })
  const one = authorizedFetch(provider, { resource: first })
  const two = authorizedFetch(provider, { resource: second })
  await Promise.all([one(first), two(second)])
  await one.logout()
  await expect(one(first)).rejects.toMatchObject({ code: 'login_required' })
  await two(second)
  expect(other.requests).toHaveLength(2)
})

/** A provider at a terminal, with a browser that consents when it is told to. */
async function atTerminal() {
  const world = await oauthWorld({ token: (_params, count) => ({ body: tokenAnswer(count) }) })
  const shown: URL[] = []
  let consent = () => {}
  const consented = new Promise<void>((resolve) => {
    consent = resolve
  })
  const store = memoryStore()
  const grant: typeof authorizationCode = (options) =>
    authorizationCode({
      ...options,
      onAuthorizationUrl(url) {
        shown.push(url)
        consented.then(() => fetch(url)).catch(() => {})
      },
    })
  const terminal = { stdin: { isTTY: true }, stderr: { isTTY: true }, env: {} }
  const nothing = { reason: 'none' }
  const sources = {
    saved: savedLogin(),
    config: async () => ({ entry: nothing, workload: nothing }),
    login: () => loginAtTerminal(undefined, terminal, async () => grant),
  }
  const provider = () => autoProvider(sources, store, { interactive: true })
  return { world, shown, consent: () => consent(), provider }
}

test('two clients of one auto() that start at once ask a person once', async () => {
  const { world, shown, consent, provider } = await atTerminal()
  const shared = provider()
  const clients = [1, 2].map(() => authorizedFetch(shared, { resource: world.url }))
  const logins = clients.map((client) => client.login())
  consent()
  await Promise.all(logins)
  expect(shown).toHaveLength(1)
  await Promise.all(clients.map((client) => client.close()))
})

test('a client that is closed while a person logs in leaves the login to the next one', async () => {
  const { world, shown, consent, provider } = await atTerminal()
  const [one, two] = [1, 2].map(() => authorizedFetch(provider(), { resource: world.url }))
  const given = one?.login().catch((error: unknown) => error)
  await expect.poll(() => shown.length).toBe(1)
  const next = two?.login()
  await one?.close()
  expect(await given).toMatchObject({ code: 'closed' })
  await expect.poll(() => shown.length).toBe(2)
  consent()
  await next
  expect((await two?.(world.url))?.status).toBe(200)
  await two?.close()
})
