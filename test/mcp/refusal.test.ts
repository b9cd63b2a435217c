import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { type CredentialError, isCredentialError } from '../../src/index.ts'
import type {
  AuthorizationFinding,
  Observations,
  ObservedResponse,
} from '../../src/mcp/observations.ts'
import { explainFailure } from '../../src/mcp/refusal.ts'
import { parseChallenges } from '../../src/www-authenticate.ts'

const url = 'https://mcp.example.com/mcp'
/** The same in a command, where what the query holds is for the person to fill in. */
const word = `'${url}?key=…'`
const sdkError = new Error('Error POSTing to endpoint: the key value-1 is wrong')

interface Given {
  readonly status?: number
  readonly type?: string
  readonly challenge?: string
  readonly location?: string
  readonly retryAfter?: number
  readonly method?: string
}

function answer(given: Given): ObservedResponse {
  const { status = 200, type = '', challenge, location, retryAfter, method = 'POST' } = given
  return {
    method,
    status,
    contentType: type,
    challenges: parseChallenges(challenge),
    location: location === undefined ? undefined : new URL(location),
    retryAfter,
  }
}

const key = { name: 'apiKey', source: "env('MCP_API_KEY')" }
const login = { name: 'authorizationCode', scoped: true }

function explain(
  given: Given | undefined,
  more: Partial<Observations> = {},
  finding?: AuthorizationFinding,
): CredentialError {
  const sighting: Observations = {
    resource: new URL(`${url}?key=value-1`),
    provider: key,
    sentScheme: undefined,
    streamable: given === undefined ? undefined : answer(given),
    sse: undefined,
    failure: undefined,
    pending: false,
    error: sdkError,
    ...more,
  }
  const error = explainFailure(sighting, finding)
  if (error === undefined) throw new Error('Nothing was explained.')
  return error
}

const issuer = { issuer: new URL('https://login.example.com/tenant') }
const networkError = (code: string) =>
  Object.assign(new TypeError('fetch failed'), { cause: Object.assign(new Error('x'), { code }) })

type Row = readonly [
  what: string,
  code: string,
  error: CredentialError,
  ...texts: readonly string[],
]

const rows: readonly Row[] = [
  [
    'a silent 401',
    'unauthorized',
    explain({ status: 401 }),
    `${url} refused the credential of apiKey from env('MCP_API_KEY') with 401 and no challenge.`,
    'The response does not name the required credential',
    "Check the value of env('MCP_API_KEY')",
  ],
  [
    'a key where OAuth is wanted',
    'unauthorized',
    explain({ status: 401, challenge: 'Bearer resource_metadata="https://x.example"' }, {}, issuer),
    'the challenge Bearer',
    'requires OAuth at https://login.example.com.',
    'Use authorizationCode()',
    `\`npx mcp-credentials login ${word}\``,
  ],
  [
    'a token of another server where OAuth is wanted',
    'unauthorized',
    explain(
      { status: 401, challenge: 'Bearer error="invalid_token"' },
      { sentScheme: 'bearer', provider: { name: 'bearer', source: 'a function' } },
      issuer,
    ),
    'bearer from a function with 401 and the challenge Bearer (invalid_token)',
    'requires OAuth at https://login.example.com, and did not accept this token',
  ],
  [
    'OAuth whose metadata cannot be used',
    'unauthorized',
    explain({ status: 401, challenge: 'Bearer resource_metadata="https://x.example"' }),
    'The server requires OAuth. Use authorizationCode()',
  ],
  [
    'a password where a token is wanted',
    'unauthorized',
    explain({ status: 401, challenge: 'Bearer' }, { sentScheme: 'basic' }),
    'requires a bearer token; apiKey sends Basic.',
    'Use bearer(',
  ],
  [
    'a token that is not valid any more',
    'unauthorized',
    explain({ status: 401, challenge: 'Bearer error="invalid_token"' }, { sentScheme: 'bearer' }),
    'expired, revoked, or issued for another server',
    "Replace the token (env('MCP_API_KEY'))",
  ],
  [
    'a key where a password is wanted',
    'unauthorized',
    explain({ status: 401, challenge: 'Basic realm="x"' }, {}, issuer),
    'requires a user name and a password (Basic); apiKey does not send one.',
    'Use basic(',
  ],
  [
    'a wrong password',
    'unauthorized',
    explain({ status: 401, challenge: 'Basic realm="x"' }, { sentScheme: 'basic' }),
    'The user name or the password is wrong.',
    "Check the user name and the password (env('MCP_API_KEY'))",
  ],
  [
    'a server that wants a bound token',
    'unauthorized',
    explain({ status: 401, challenge: 'DPoP algs="ES256"' }),
    'requires DPoP.',
    'dpop: true',
  ],
  [
    'a scheme without a provider',
    'unauthorized',
    explain({ status: 401, challenge: 'Negotiate' }),
    'requires Negotiate.',
    'custom()',
  ],
  [
    'a scheme that nobody knows',
    'unauthorized',
    explain({ status: 401, challenge: 'value-1 realm="x"' }),
    'the challenge of an unknown scheme',
  ],
  [
    'a token that was obtained in vain',
    'unauthorized',
    explain({ status: 401, challenge: 'Bearer' }, { provider: login, sentScheme: 'bearer' }),
    'refused the credential of authorizationCode with 401',
    `Run \`npx mcp-credentials login ${word}\``,
  ],
  [
    'a 403',
    'forbidden',
    explain({ status: 403, type: 'application/json' }),
    'with 403. The credential is known',
    'lacks a permission',
    "Check the credential (env('MCP_API_KEY'))",
  ],
  [
    'a 403 of a firewall',
    'forbidden',
    explain({ status: 403, type: 'text/html; charset=utf-8' }),
    'with 403, a web page. The page',
    'a firewall or a proxy',
  ],
  [
    'a 403 for want of a scope',
    'forbidden',
    explain(
      { status: 403, challenge: 'Bearer error="insufficient_scope", scope="tools:write files"' },
      { provider: login },
    ),
    'the server requires `tools:write files`',
    `\`npx mcp-credentials login ${word} --scope 'tools:write files'\``,
  ],
  [
    'a 403 for want of a scope that may not be shown',
    'forbidden',
    explain({ status: 403, challenge: `Bearer error="insufficient_scope", scope="'$(rm)"` }),
    'It lacks a scope that the server requires.',
    'Ask the server',
  ],
  [
    'a wrong path',
    'not_mcp_server',
    explain(
      { status: 404, type: 'text/plain' },
      { sse: answer({ method: 'GET', status: 405, type: '' }) },
    ),
    `There is no MCP server at ${url}: it responded to POST with 404 (text/plain) and to GET with 405.`,
    'Check the path',
  ],
  [
    'a web page',
    'not_mcp_server',
    explain({ status: 200, type: 'text/html; charset=utf-8' }),
    'is a web page, not an MCP server, and may be a login page: it responded to POST with 200 (text/html).',
  ],
  [
    'a web page that takes no POST',
    'not_mcp_server',
    explain({ status: 405 }, { sse: answer({ method: 'GET', status: 200, type: 'text/html' }) }),
    'it responded to POST with 405 and to GET with 200 (text/html).',
  ],
  [
    'a redirect to a login page',
    'redirect_refused',
    explain({ status: 302, location: 'https://login.example.com/start?state=value-1' }),
    'redirects (302) to https://login.example.com/start, which may be a login page',
  ],
  [
    'a redirect to another path',
    'redirect_refused',
    explain({ status: 308, location: 'https://mcp.example.com/v2/mcp' }),
    'redirects (308) to https://mcp.example.com/v2/mcp; credentials do not follow redirects. Use that URL.',
  ],
  [
    'JSON that is no JSON-RPC',
    'not_mcp_server',
    explain({ type: 'application/json' }, { error: { name: 'ZodError', issues: [] } }),
    'it responded to POST with 200 and JSON that is not a JSON-RPC message.',
  ],
  [
    'an answer without a type',
    'not_mcp_server',
    explain({ status: 200 }),
    'POST with 200 and no content type',
  ],
  [
    'a content type that would say too much',
    'not_mcp_server',
    explain({ status: 200, type: 'text/secret-value-1' }),
    'POST with 200 and another media type, which is neither JSON nor an event stream',
  ],
  [
    'a server that has had enough',
    'rate_limited',
    explain({ status: 429, retryAfter: 7 }),
    'responded with 429, and requests a delay of 7 s.',
    'Try again in 7 s.',
  ],
  [
    'a server that is down',
    'server_error',
    explain({ status: 503, type: 'text/html' }),
    'responded with 503 (text/html).',
    'Try again later.',
  ],
  [
    'another refusal',
    'request_refused',
    explain(
      { status: 400, type: 'application/json' },
      { sse: answer({ method: 'GET', status: 405 }) },
    ),
    'refused the first message: it responded to POST with 400 (application/json).',
    '`cause`',
  ],
  [
    'a server that takes too long',
    'timeout',
    explain(undefined, { pending: true, error: { code: -32001 } }),
    'did not respond in time',
  ],
  [
    'nobody there',
    'network',
    explain(undefined, { failure: networkError('ECONNREFUSED') }),
    'No server is listening at https://mcp.example.com (ECONNREFUSED).',
  ],
  [
    'a name that nobody knows',
    'network',
    explain(undefined, { failure: networkError('ENOTFOUND') }),
    'The host mcp.example.com cannot be resolved (ENOTFOUND).',
  ],
  [
    'a certificate of nobody known',
    'network',
    explain(undefined, { failure: networkError('DEPTH_ZERO_SELF_SIGNED_CERT') }),
    'NODE_EXTRA_CA_CERTS',
  ],
  [
    'a certificate that has expired',
    'network',
    explain(undefined, { failure: networkError('CERT_HAS_EXPIRED') }),
    'Check the clock',
  ],
  [
    'a port without TLS',
    'network',
    explain(undefined, { failure: networkError('ERR_SSL_WRONG_VERSION_NUMBER') }),
    'The TLS connection to https://mcp.example.com',
  ],
  [
    'a failure without a code',
    'network',
    explain(undefined, { failure: new TypeError('fetch failed') }),
    'https://mcp.example.com cannot be reached.',
  ],
]

describe('the explanation of a connection that failed', () => {
  for (const [what, code, error, ...texts] of rows) {
    it(`for ${what} has the code ${code}`, () => {
      expect(isCredentialError(error, code)).toBe(true)
      for (const text of texts) expect(error.message).toContain(text)
    })

    it(`for ${what} ends with the next step, and holds nothing secret`, () => {
      expect(error.message).toMatch(
        /run `npx mcp-credentials doctor 'https:\/\/mcp\.example\.com\/mcp\?key=…'`\.$/,
      )
      expect(error.message.endsWith(error.remedy ?? '')).toBe(true)
      expect(inspect(error, { showHidden: true })).not.toMatch(/undefined|value-1/)
      expect(error.resource).toBe(url)
    })

    it(`for ${what} is retryable where waiting helps`, () => {
      const helps = code === 'rate_limited' || code === 'server_error' || code === 'timeout'
      const isGone = /ECONNREFUSED|ENOTFOUND|cannot be reached/.test(error.message)
      expect(error.retryable).toBe(helps || isGone)
    })
  }

  it('leads to the key where a server that asks for keys refuses one', () => {
    const { message } = explain({ status: 401, challenge: 'ApiKey header="X-API-Key"' })
    expect(message).toContain('The key is wrong, or the server expects it in another header.')
    expect(message).toContain("Check the key (env('MCP_API_KEY')), and the option `header`")
    expect(message).not.toContain('bearer(')
  })

  it('has the error of the SDK as its cause, which is not printed', () => {
    const error = explain({ status: 401 })
    expect(error.cause).toBe(sdkError)
    expect(inspect(error)).not.toContain('value-1')
  })

  it('quotes a URL that a shell would act upon', () => {
    const { message } = explain({ status: 404 }, { resource: new URL("https://a.example/x;$(y)'") })
    expect(message).toContain("`npx mcp-credentials doctor 'https://a.example/x;$(y)%27'`")
  })

  it.each([
    ['an error in JSON-RPC', { streamable: answer({ type: 'application/json' }) }],
    ['an error before the first request', {}],
    ['a mistake in a fetch of your own', { failure: new TypeError('x is not a function') }],
    ['a timeout that the server reports', { error: { code: -32001 } }],
  ])('is missing for %s', (_what, more) => {
    const sighting: Observations = {
      resource: new URL(url),
      provider: key,
      sentScheme: undefined,
      streamable: undefined,
      sse: undefined,
      failure: undefined,
      pending: false,
      error: new Error('MCP error -32602: no'),
      ...more,
    }
    expect(explainFailure(sighting, undefined)).toBeUndefined()
  })
})
