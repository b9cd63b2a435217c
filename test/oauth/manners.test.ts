import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { authorizedFetch, type CredentialError, type CredentialProvider } from '../../src/index.ts'
import {
  authorizationCode,
  clientCredentials,
  deviceCode,
  jwtBearer,
  privateKeyJwt,
  refreshToken,
  savedLogin,
  tokenExchange,
} from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { testClock } from '../support/clock.ts'
import { deadAssertion, GrantServer, knownClients } from '../support/grant-server.ts'
import { allManners, type Manners } from '../support/manners.ts'
import { oauthWorld } from '../support/oauth-world.ts'

const { confidential, signing, public: terminal } = knownClients
const signingKey = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  .privateKey.export({ format: 'pem', type: 'pkcs8' })
  .toString()

/** A world with this behavior, and clients that share a store. */
async function impolite(manners: Manners) {
  const clock = testClock()
  const { errorPages = false } = manners
  const grants = new GrantServer(manners, clock.now)
  const { openIdOnly = false, literalBasic = false, assertionAudience = 'issuer' } = manners
  const world = await oauthWorld({ grants, openIdOnly })
  const store = memoryStore()
  const client = (provider: CredentialProvider) => {
    const { url: resource } = world
    const send = authorizedFetch(provider, { resource, now: clock.now, random: () => 0, store })
    const call = () => send(world.url, { method: 'POST', body: '{}' })
    return {
      login: send.login,
      logout: send.logout,
      works: async () => expect((await call()).status).toBe(200),
      failure: async () => (await call().catch((thrown: unknown) => thrown)) as CredentialError,
    }
  }
  const { issuer } = world
  // What a user has to set for such a server.
  const secretAuth = literalBasic ? ({ clientAuth: 'client_secret_basic_unencoded' } as const) : {}
  const byHand = { ...confidential, ...secretAuth, issuer }
  const signed = {
    ...signing,
    issuer,
    clientAuth: privateKeyJwt({ key: signingKey, audience: assertionAudience }),
  }
  return { world, clock, grants, client, byHand, signed, issuer, errorPages }
}

type Impolite = Awaited<ReturnType<typeof impolite>>
type Client = ReturnType<Impolite['client']>

/** Two clients renew at the same time after a rejection, and one after the token has expired. */
async function renews({ world, clock, grants }: Impolite, clients: readonly Client[]) {
  const before = world.logins().length
  grants.expireTokens()
  await Promise.all(clients.map((client) => client.works()))
  clock.advance(3_700_000)
  await Promise.all(clients.map((client) => client.works()))
  expect(world.logins()).toHaveLength(before)
}

const asked = ({ world }: Impolite) => world.tokenRequests().length

/** A wrong secret is sent once. */
async function refusesWrongSecret(pair: Impolite, wrong: CredentialProvider) {
  pair.clock.advance(3_700_000)
  const before = asked(pair)
  const { failure } = pair.client(wrong)
  const expected = pair.errorPages ? unclear : { code: 'invalid_client', retryable: false }
  for (let attempt = 0; attempt < 3; attempt += 1) {
    expect(await failure()).toMatchObject(expected)
  }
  expect(asked(pair)).toBe(before + 1)
}

/** All steps of a login, with a second process that has the refresh token. */
async function login(
  pair: Impolite,
  provider: CredentialProvider,
  saved: CredentialProvider,
  wrongSecret?: { readonly provider: CredentialProvider; readonly burns: boolean },
) {
  const { world, grants, client, errorPages } = pair
  const own = client(provider)
  const other = client(saved)
  await own.login()
  await own.works()
  await other.works()
  await renews(pair, [own, other])

  if (wrongSecret !== undefined) {
    await refusesWrongSecret(pair, wrongSecret.provider)
    if (wrongSecret.burns) expect(await client(saved).failure()).toMatchObject(refusedLogin)
    else await client(saved).works()
    if (wrongSecret.burns) await own.login()
  }

  const logins = world.logins().length
  grants.endLogins()
  expect(await client(saved).failure()).toMatchObject(errorPages ? unclear : refusedLogin)
  expect(world.logins()).toHaveLength(logins)
  // Only the user discards a login that may still be valid.
  if (errorPages) await own.logout()
  await own.login()
  await own.works()
  await client(saved).works()

  const { revoked } = await own.logout()
  expect(await client(saved).failure()).toMatchObject({ reason: 'no_credential' })
  return revoked
}

const refusedLogin = { code: 'login_required', reason: 'grant_rejected', retryable: false }
/** The error for a refusal that a proxy may have sent. */
const unclear = { code: 'server_error', retryable: true }

/** All steps of tokens without a user. */
async function machine(
  pair: Impolite,
  provider: CredentialProvider,
  refused: CredentialProvider | undefined,
  wrongSecret: CredentialProvider | undefined,
) {
  const { client, errorPages } = pair
  const own = client(provider)
  const other = client(provider)
  await own.works()
  await renews(pair, [own, other])
  if (refused !== undefined) {
    pair.clock.advance(3_700_000)
    const before = asked(pair)
    const { failure } = client(refused)
    const expected = errorPages ? unclear : { code: 'invalid_grant', retryable: false }
    expect(await failure()).toMatchObject(expected)
    expect(await failure()).toMatchObject(expected)
    expect(asked(pair)).toBe(before + 1)
  }
  if (wrongSecret !== undefined) await refusesWrongSecret(pair, wrongSecret)
  pair.clock.advance(61_000)
  await own.works()
  return (await own.logout()).revoked
}

const browser = { onAuthorizationUrl: (url: URL) => fetch(url) }

/** Each grant: whether logout() was able to revoke its tokens. */
const grantSuites: Readonly<
  Record<string, (pair: Impolite, manners: Manners) => Promise<boolean>>
> = {
  'authorizationCode, registered': (pair) => login(pair, authorizationCode(browser), savedLogin()),
  'authorizationCode, with a secret': (pair, { burnsOnWrongSecret: burns = false }) =>
    login(pair, authorizationCode({ ...browser, ...pair.byHand }), savedLogin(pair.byHand), {
      provider: savedLogin({ ...pair.byHand, clientSecret: 'wrong: secret' }),
      burns,
    }),
  deviceCode: (pair) =>
    login(pair, deviceCode({ ...terminal, onUserCode: () => {} }), savedLogin()),
  refreshToken: async (pair) => {
    const { grants, client, clock } = pair
    const supplied = (token: string) =>
      refreshToken({ ...terminal, issuer: pair.issuer, refreshToken: token })
    const first = client(supplied(grants.issueRefreshToken(terminal.clientId)))
    await first.works()
    await renews(pair, [first])
    grants.endLogins()
    clock.advance(3_700_000)
    expect(await first.failure()).toMatchObject(pair.errorPages ? unclear : refusedLogin)
    if (pair.errorPages) await first.logout()
    const next = client(supplied(grants.issueRefreshToken(terminal.clientId)))
    await next.login()
    await next.works()
    return (await next.logout()).revoked
  },
  'clientCredentials, with a secret': (pair) =>
    machine(
      pair,
      clientCredentials(pair.byHand),
      undefined,
      clientCredentials({ ...pair.byHand, clientSecret: 'wrong: secret' }),
    ),
  'clientCredentials, with a key': (pair) =>
    machine(pair, clientCredentials(pair.signed), undefined, undefined),
  jwtBearer: (pair) =>
    machine(
      pair,
      jwtBearer({ ...pair.signed, assertion: 'platform-token' }),
      jwtBearer({ ...pair.signed, assertion: deadAssertion }),
      undefined,
    ),
  tokenExchange: (pair) =>
    machine(
      pair,
      tokenExchange({ ...pair.byHand, subjectToken: 'user-token' }),
      tokenExchange({ ...pair.byHand, subjectToken: deadAssertion }),
      tokenExchange({ ...pair.byHand, clientSecret: 'wrong: secret', subjectToken: 'user-token' }),
    ),
}

const grantNames = Object.keys(grantSuites)
const document = readFileSync(new URL('../../docs/manners.md', import.meta.url), 'utf8')
const [header = [], , ...rows] = document
  .split('\n')
  .filter((line) => line.startsWith('| '))
  .map((line) => line.slice(2, -2).split(' | '))

/** The documentation's entry for a grant at a server with this behavior. */
function documented(name: string, grant: string): string | undefined {
  return rows.find(([first]) => first === name)?.[header.indexOf(grant)]
}

test('docs/manners.md has a row for each set of manners, and a column for each grant', () => {
  expect(header.slice(1)).toEqual(grantNames)
  expect(rows.map(([name]) => name)).toEqual(Object.keys(allManners))
})

const cells = Object.entries(allManners).flatMap(([name, manners]) =>
  grantNames.map((grant) => [name, grant, manners] as const),
)

describe('at a server with this behavior, the outcome is the one in docs/manners.md', () => {
  test.each(cells)('%s: %s', async (name, grant, manners) => {
    const revoked = await grantSuites[grant]?.(await impolite(manners), manners)
    // A client with a key has no secret that the server could reject.
    const isUnclear = manners.errorPages === true && grant !== 'clientCredentials, with a key'
    const outcome = isUnclear ? 'holds, refusals unclear' : 'holds'
    expect(documented(name, grant)).toBe(revoked === true ? outcome : `${outcome}, not revoked`)
  })
})
