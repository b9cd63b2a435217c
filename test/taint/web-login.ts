/** A web application: its users' logins begin and end in different requests, with a sealed state between them. */
import { type AuthorizedFetchOptions, authorizedFetch } from '../../src/index.ts'
import { savedLogin } from '../../src/oauth/index.ts'
import { webLogins } from '../../src/web/index.ts'
import { sleep } from './clock.ts'
import type { ClientConfig } from './configuration.ts'
import { oauthOptions } from './configuration.ts'
import type { ClientDoor, ClientState, World } from './types.ts'
import { nextNumber, urlOf, violate } from './types.ts'
import { showUrl } from './user.ts'

const redirectUri = 'https://app.localhost/callback'
/** Seconds after which a user is not waited for. */
const patience = 120

/** Logs in by {@link webLogins}, and sends what was stored by it. */
export function webApplication(
  world: World,
  config: ClientConfig,
  self: () => ClientState,
  options: AuthorizedFetchOptions & Required<Pick<AuthorizedFetchOptions, 'store'>>,
): ClientDoor {
  const { canaries, recorder } = world
  const account = 'user-1'
  const key = canaries.mint('store key', [], (value) => `${value}${'w'.repeat(32)}`.slice(0, 32))
  const { fetch, now, onEvent, store } = options
  const logins = webLogins({
    ...oauthOptions(world, config),
    redirectUri,
    key: Buffer.from(key).toString('base64'),
    requireIss: config.requireIss,
    store,
    ...(fetch === undefined ? {} : { fetch }),
    ...(now === undefined ? {} : { now }),
    ...(onEvent === undefined ? {} : { onEvent }),
  })
  const authorized = authorizedFetch(savedLogin(oauthOptions(world, config)), {
    ...options,
    account,
  })
  const closing = new AbortController()
  const login = async (given: AbortSignal) => {
    const signal = AbortSignal.any([given, closing.signal])
    signal.throwIfAborted()
    const session = canaries.mint('session', [])
    const resource = urlOf(config.resource)
    const begun = await logins.beginLogin({ resource, account, session, signal })
    world.sealed.push(begun.state)
    const shown = showUrl(world, self(), begun.url, signal)
    shown.catch(() => {})
    const callback = await Promise.race([shown, sleep(world.time, patience)])
    signal.throwIfAborted()
    // A browser that is sent elsewhere does not come to the application.
    if (callback?.startsWith(redirectUri) !== true) throw new Error('the user did not return')
    if (nextNumber(world) % 4 === 0) {
      const other = canaries.mint('session', [])
      const stolen = logins.finishLogin(callback, begun.state, { session: other, signal })
      const isTaken = await stolen.then(
        () => true,
        (error: unknown) => {
          recorder.thrown(error, 'the error of a stolen login')
          return false
        },
      )
      if (isTaken) violate(world, 'a login is finished by another session')
    }
    await logins.finishLogin(callback, begun.state, { session, signal })
  }
  const door = (input: string | URL, init?: RequestInit) => authorized(input, init)
  return Object.assign(door, {
    login: ({ signal }: { readonly signal: AbortSignal }) => login(signal),
    logout: () => authorized.logout(),
    close() {
      // A web application that ends takes no further request of a browser.
      closing.abort(new Error('the application has ended'))
      return authorized.close()
    },
    manager: authorized.manager,
  })
}
