import { authorizedFetch, type CredentialError, type CredentialProvider } from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from './clock.ts'
import { oauthWorld, type Script } from './oauth-world.ts'

/** Clients of a scripted world that share a store and a clock, which the test moves. */
export async function storedClients(script: Script = {}) {
  const world = await oauthWorld(script)
  const clock = testClock()
  const store = memoryStore()
  const client = (provider: CredentialProvider) => {
    const { url: resource } = world
    const send = authorizedFetch(provider, { resource, now: clock.now, random: () => 0, store })
    const call = () => send(world.url, { method: 'POST', body: '{}' })
    const failure = async () => (await call().catch((thrown: unknown) => thrown)) as CredentialError
    return { send, call, failure }
  }
  return { world, clock, store, client }
}
