import { describe, expect, test } from 'vitest'
import {
  authorizedFetch,
  CredentialError,
  type CredentialEvent,
  type CredentialProvider,
} from '../../src/index.ts'
import { authorizationCode, deviceCode, discover } from '../../src/oauth/index.ts'
import { oauthWorld, type Script, tokenAnswer } from '../support/oauth-world.ts'

/** Clears the screen, reverses the text direction, and hides a character. */
const hostile = '\u001b[2J\u202e\u200b\u2066\u0085\u2028\u3164'
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Default_Ignorable_Code_Point}\u2028\u2029]/u

type Document = Record<string, unknown>

/** Copies of the document, each with hostile text in another member. */
function spoilt(document: Document): [string, Document][] {
  return Object.entries(document).map(([name, value]) => [
    name,
    {
      ...document,
      [name]: Array.isArray(value) ? [`${value[0]}${hostile}`] : `${value}${hostile}`,
    },
  ])
}

/** All strings in a value that the user may see. */
function texts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  if (value instanceof URL) return [value.href, ...texts([...value.searchParams])]
  if (value instanceof Error) {
    const { message, name, cause } = value
    const stack = (value.stack ?? '').replaceAll('\n', ' ')
    return [message, name, stack, ...texts({ ...value }), ...texts(cause)]
  }
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([name, member]) => [name, ...texts(member)])
}

/** Everything that an application receives while a provider is used in a world. */
async function shown(
  script: Script,
  providerOf: (show: (value: unknown) => void) => CredentialProvider,
): Promise<{ seen: unknown[]; error: unknown }> {
  const seen: unknown[] = []
  const world = await oauthWorld(script)
  const send = authorizedFetch(
    providerOf((value) => void seen.push(value)),
    { resource: world.url, onEvent: (event: CredentialEvent) => void seen.push(event) },
  )
  const error = await send(world.url, { method: 'POST', body: '{}' }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  const credential = send.manager.current()
  seen.push(error, credential?.scope)
  await send.logout().catch((thrown: unknown) => void seen.push(thrown))
  return { seen, error }
}

function expectPrintable(seen: unknown): void {
  const found = texts(seen).filter((text) => unprintable.test(text))
  expect(found.map((text) => JSON.stringify(text))).toEqual([])
}

const browserLogin = (show: (value: unknown) => void) =>
  authorizationCode({
    selectIssuer(issuers) {
      show(issuers)
      return issuers[0] ?? ''
    },
    onAuthorizationUrl(url) {
      show(url)
      return fetch(url).then(() => undefined)
    },
  })

const deviceLogin = (show: (value: unknown) => void) =>
  deviceCode({ clientId: 'agent', onUserCode: (login) => show(login) })

const origin = 'https://other.example'
const resourceDocument = {
  resource: `${origin}/mcp`,
  authorization_servers: [origin],
  scopes_supported: ['read'],
  resource_name: 'Notes',
  bearer_methods_supported: ['header'],
}
const serverDocument = {
  issuer: origin,
  authorization_endpoint: `${origin}/authorize`,
  token_endpoint: `${origin}/token`,
  registration_endpoint: `${origin}/register`,
  revocation_endpoint: `${origin}/revoke`,
  scopes_supported: ['offline_access'],
  code_challenge_methods_supported: ['S256'],
  token_endpoint_auth_methods_supported: ['none'],
  service_documentation: `${origin}/docs`,
}
const deviceDocument = {
  device_code: 'device-1',
  user_code: 'WDJB-MJHT',
  // It is at the host of the issuer, because other hosts are never shown.
  verification_uri: 'http://127.0.0.1/device',
  verification_uri_complete: 'http://127.0.0.1/device?user_code=WDJB-MJHT',
  expires_in: 60,
  interval: 0.01,
}
const errorDocument = {
  error: 'invalid_request',
  error_description: 'No.',
  error_uri: `${origin}/why`,
}

describe('no dangerous character of a server reaches the user', () => {
  test.each(spoilt(resourceDocument))('from resource metadata: %s', async (name, document) => {
    const own = (base: string) =>
      JSON.parse(JSON.stringify(document[name]).replaceAll(origin, base)) as unknown
    const script: Script = {
      resource: ({ mcp, issuer }) => ({ [name]: own(name === 'resource' ? mcp : issuer) }),
    }
    expectPrintable((await shown(script, browserLogin)).seen)
    const world = await oauthWorld(script)
    const selectIssuer = (issuers: readonly string[]) => {
      expectPrintable(issuers)
      return issuers[0] ?? ''
    }
    expectPrintable(await discover(world.url, { selectIssuer }).catch((thrown: unknown) => thrown))
  })

  test.each(spoilt(serverDocument))('from server metadata: %s', async (name, document) => {
    const script: Script = {
      metadata: ({ issuer }) =>
        JSON.parse(
          JSON.stringify({ [name]: document[name] }).replaceAll(origin, issuer),
        ) as Document,
    }
    expectPrintable((await shown(script, browserLogin)).seen)
    const world = await oauthWorld(script)
    expectPrintable(await discover(world.url).catch((thrown: unknown) => thrown))
  })

  test('from the name of a member of metadata', async () => {
    const world = await oauthWorld({ metadata: () => ({ [hostile]: { [hostile]: [hostile] } }) })
    expectPrintable(await discover(world.url))
  })

  test.each(['realm', 'scope', 'resource_metadata', 'error', 'error_description'])(
    'from a challenge: %s',
    async (name) => {
      // Of the characters above, only these can be in a header.
      const script: Script = {
        challenge: ({ mcp }) =>
          `${name}="${name === 'resource_metadata' ? mcp : 'read'}\u0085\u009b2J\u00ad"`,
      }
      expectPrintable((await shown(script, browserLogin)).seen)
    },
  )

  test('from a challenge for additional scopes', async () => {
    const header = 'Bearer error="insufficient_scope", scope="write\u0085\u009b2J\u00ad"'
    const script: Script = { mcp: () => ({ status: 403, headers: { 'www-authenticate': header } }) }
    expectPrintable((await shown(script, browserLogin)).seen)
  })

  // An invalid interval counts as five seconds, and is not shown.
  const deviceCases = spoilt(deviceDocument).filter(([name]) => name !== 'interval')
  test.each([...deviceCases, ...spoilt(errorDocument)])(
    'from the device authorization response: %s',
    async (name, document) => {
      const isError = name in errorDocument
      const script: Script = {
        metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
        token: (params) =>
          params.has('grant_type') ? undefined : { status: isError ? 400 : 200, body: document },
      }
      expectPrintable((await shown(script, deviceLogin)).seen)
    },
  )

  test.each([
    ...spoilt({ client_id: 'client-1', client_name: 'Agent', token_endpoint_auth_method: 'none' }),
    ...spoilt(errorDocument),
  ])('from the registration response: %s', async (name, document) => {
    const status = name in errorDocument ? 400 : 201
    const script: Script = { register: () => ({ status, body: document }) }
    expectPrintable((await shown(script, browserLogin)).seen)
  })

  test.each([
    ...spoilt({ ...tokenAnswer(1, { scope: 'read', refresh_token: 'refresh-1' }) }),
    ...spoilt(errorDocument),
  ])('from the token response: %s', async (name, document) => {
    const status = name in errorDocument ? 400 : 200
    const script: Script = { token: () => ({ status, body: document }) }
    expectPrintable((await shown(script, browserLogin)).seen)
  })

  test.each(['code', 'iss', 'error', 'error_description'])(
    'from the redirect that ends a login: %s',
    async (name) => {
      const script: Script = {
        redirect: (target) => target.searchParams.set(name, `access_denied${hostile}`),
      }
      expectPrintable((await shown(script, browserLogin)).seen)
    },
  )
})

describe('a user code', () => {
  const answer = (user_code: unknown): Script => ({
    metadata: ({ issuer }) => ({ device_authorization_endpoint: `${issuer}/device/token` }),
    token: (params) =>
      params.has('grant_type') ? undefined : { body: { ...deviceDocument, user_code } },
  })

  test.each([
    ['clears the screen', 'AB\u001b[2J'],
    ['is turned around', '\u202eWDJB'],
    ['is in letters that look like others', 'WD\u0408B'],
    ['is as long as a page', 'A'.repeat(65)],
    ['is two lines', 'AB\nCD'],
    ['is blank', '   '],
  ])('that %s is rejected, and never shown', async (_what, code) => {
    const { seen, error } = await shown(answer(code), deviceLogin)
    expect(error).toMatchObject({ code: 'invalid_response', message: /user code/ })
    expect(seen.filter((value) => JSON.stringify(value)?.includes('userCode'))).toEqual([])
  })

  test('of letters, digits and punctuation is shown unchanged', async () => {
    const { seen, error } = await shown(answer('wdjb MJHT-09+/'), deviceLogin)
    expect(error).toBeUndefined()
    expect(seen).toContainEqual(expect.objectContaining({ userCode: 'wdjb MJHT-09+/' }))
  })
})

describe('scopes of a server', () => {
  test.each([
    ['challenge', { challenge: () => 'scope="read \u0085 write\u009b2J"' }],
    ['resource metadata', { resource: () => ({ scopes_supported: ['read', 'wri"te', hostile] }) }],
  ])('that are not valid in a request are omitted: %s', async (_where, script: Script) => {
    const world = await oauthWorld(script)
    await world.call(authorizationCode({ onAuthorizationUrl: (url) => fetch(url) }))
    expect(world.logins()[0]?.['scope']).toBe('read')
  })

  test('in a token response are omitted from the credential', async () => {
    const world = await oauthWorld({
      token: () => ({ body: tokenAnswer(1, { scope: 'read \u202ex' }) }),
    })
    const provider = authorizationCode({ onAuthorizationUrl: (url) => fetch(url) })
    const send = authorizedFetch(provider, { resource: world.url })
    expect((await send.manager.credential()).scope).toBe('read')
  })
})

test('an error contains no unprintable character, whatever the origin of its message', () => {
  const error = new CredentialError('network', `It failed: ${hostile}`, { remedy: `Do${hostile}.` })
  expectPrintable(error)
})
