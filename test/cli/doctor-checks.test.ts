import { describe, expect, it } from 'vitest'
import type { SavedCredential } from '../../src/auto/index.ts'
import { checkAll, outcomeOf } from '../../src/cli/doctor/checks.ts'
import { usualPaths } from '../../src/cli/doctor/conversation.ts'
import type { Issuer, Observations } from '../../src/cli/doctor/observations.ts'
import { certificate, conversation, linesOf, sight, welcome } from './doctor-support.ts'

const silent = (code?: string, isLate = false) => ({ kind: 'no-response', code, isLate }) as const
const metadata = {
  issuer: 'https://login.example.com',
  authorization_endpoint: 'https://login.example.com/authorize',
  token_endpoint: 'https://login.example.com/token',
  code_challenge_methods_supported: ['S256'],
}
const issuerSeen = (changes: Partial<Issuer> = {}): Partial<Observations> => ({
  conversation: conversation({ status: 401, headers: { 'www-authenticate': 'Bearer' } }),
  authorization: {
    resource: { requiresDpop: false, scopes: [], bearerMethods: undefined },
    named: ['https://login.example.com'],
    issuers: [{ issuer: 'https://login.example.com', metadata, ...changes }],
  },
})
const savedLogin: SavedCredential = {
  key: 'k',
  resource: 'https://mcp.example.com/mcp',
  url: 'https://mcp.example.com/mcp',
  account: 'default',
  kind: 'login',
  provider: 'authorizationCode',
  issuer: 'https://login.example.com',
  scopes: ['notes:read'],
  renewable: true,
}
const day = 86_400_000
const { at } = sight()

/** What is seen, the line that it gives, and what that line says. */
const table: readonly (readonly [string, Partial<Observations>, string, string])[] = [
  ['a public address', {}, 'address', 'ok: mcp.example.com is 93.184.215.14 (public).'],
  [
    'an address inside a private network',
    {
      address: {
        hostname: 'mcp.corp.example',
        addresses: [{ address: '10.1.2.3', range: 'private' }],
      },
    },
    'address',
    'note: mcp.corp.example is 10.1.2.3 (not public: private). It can be reached only from its own network.',
  ],
  [
    'a name without an address',
    {
      address: { hostname: 'mcp.exmaple.com', addresses: [], errorCode: 'ENOTFOUND' },
      conversation: undefined,
    },
    'address',
    'problem: The host mcp.exmaple.com has no address.',
  ],
  [
    'http to another machine',
    { url: new URL('http://mcp.example.com/mcp') },
    'url',
    'problem: The URL starts with http://, so others on the network can read the credential.',
  ],
  [
    'a password in the URL',
    { hadUserInfo: true },
    'url',
    'problem: The URL contains a user name or a password',
  ],
  [
    'a query in the URL',
    { url: new URL('https://mcp.example.com/mcp?key=s3cret') },
    'url',
    'note: The URL has a query',
  ],
  ['a trusted certificate', {}, 'tls', 'ok: The certificate is valid until 2027-02-20'],
  [
    'a certificate that ends soon',
    { certificate: certificate({ validTo: at + 3 * day }) },
    'tls',
    'note: The certificate is valid until 2026-11-25 (TLSv1.3, issued by "An authority"). It expires in 3 days.',
  ],
  [
    'a certificate that has expired',
    { certificate: certificate({ problem: 'CERT_HAS_EXPIRED', validTo: at - day }) },
    'tls',
    'problem: The certificate expired on 2026-11-21.',
  ],
  [
    'a self-signed certificate',
    { certificate: certificate({ problem: 'DEPTH_ZERO_SELF_SIGNED_CERT' }) },
    'tls',
    'problem: The certificate is self-signed, so no client connects.',
  ],
  [
    'a certificate of another host',
    {
      certificate: certificate({
        problem: 'ERR_TLS_CERT_ALTNAME_INVALID',
        subject: 'other.example',
      }),
    },
    'tls',
    'problem: The certificate is for another host ("other.example").',
  ],
  [
    'certificates that nobody checks',
    { checksNoCertificates: true },
    'tls',
    'problem: NODE_TLS_REJECT_UNAUTHORIZED is 0',
  ],
  [
    'a port at which nobody listens',
    { conversation: { post: silent('ECONNREFUSED'), elsewhere: [] } },
    'reachable',
    'problem: Nothing listens at that address and port.',
  ],
  [
    'a server that stays silent',
    { conversation: { post: silent(undefined, true), elsewhere: [] } },
    'reachable',
    'problem: The server did not respond within 10 seconds.',
  ],
  ['clocks that agree', {}, 'clock', 'ok: The clocks of the servers and of this machine agree.'],
  [
    'a clock that is behind',
    { clocks: new Map([['https://mcp.example.com', -7 * 60_000]]) },
    'clock',
    'note: The clock of https://mcp.example.com/ is 7 minutes behind the clock of this machine.',
  ],
  [
    'a clock of another day',
    { clocks: new Map([['https://mcp.example.com', 3 * day]]) },
    'clock',
    'problem: The clock of https://mcp.example.com/ is 3 days ahead of the clock of this machine.',
  ],
  [
    'a server that welcomes everybody',
    { conversation: conversation(welcome) },
    'transport',
    'ok: The server supports Streamable HTTP, protocol 2025-11-25. Its name is "notes", version "1.2.3".',
  ],
  [
    'a server without authorization',
    { conversation: conversation(welcome) },
    'challenge',
    'ok: The server requires no credential.',
  ],
  [
    'extensions of a server',
    { conversation: conversation(welcome) },
    'extensions',
    'ok: It declares extensions: io.modelcontextprotocol/ui.',
  ],
  [
    'a server that lets initialize pass only',
    {
      conversation: conversation(welcome, {
        tools: {
          kind: 'response',
          status: 401,
          headers: new Headers({ 'www-authenticate': 'Bearer' }),
          body: '',
        },
      }),
    },
    'challenge',
    'ok: The server responds with 401 and these challenges: bearer. It accepts `initialize` and refuses `tools/list`.',
  ],
  [
    'a server that begins its stream with other events',
    {
      conversation: conversation({
        status: 200,
        headers: { 'content-type': 'text/event-stream' },
        body: `id: 1\r\ndata: \r\n\r\ndata: {"jsonrpc":"2.0","method":"x"}\r\n\r\ndata: ${welcome.body}\r\n\r\n`,
      }),
    },
    'transport',
    'ok: The server supports Streamable HTTP, protocol 2025-11-25. Its name is "notes", version "1.2.3".',
  ],
  [
    'a server of other versions',
    {
      conversation: conversation({
        status: 400,
        headers: { 'content-type': 'application/json' },
        body: '{"jsonrpc":"2.0","id":1,"error":{"code":-32022,"data":{"supported":["2026-07-28"]}}}',
      }),
    },
    'transport',
    'note: The server supports Streamable HTTP, but only these protocol versions: 2026-07-28.',
  ],
  [
    'a server of the older transport',
    {
      conversation: conversation(
        { status: 405 },
        {
          get: {
            kind: 'response',
            status: 200,
            headers: new Headers({ 'content-type': 'text/event-stream' }),
            body: 'event: endpoint\ndata: /messages\n\n',
          },
        },
      ),
    },
    'transport',
    'note: The server supports HTTP+SSE, the transport of MCP 2024-11-05, but not Streamable HTTP.',
  ],
  [
    'a wrong path where another one answers',
    {
      conversation: conversation(
        { status: 404 },
        { elsewhere: [{ url: new URL('https://mcp.example.com/sse'), kind: 'sse' }] },
      ),
    },
    'transport',
    'problem: There is no MCP server at this path (status 404), but probably at https://mcp.example.com/sse.',
  ],
  [
    'a wrong path',
    { conversation: conversation({ status: 404 }) },
    'transport',
    'problem: There is no MCP server at this path (status 404)',
  ],
  [
    'a login page',
    {
      conversation: conversation({
        status: 200,
        headers: { 'content-type': 'text/html; charset=utf-8' },
        body: '<html><title>Sign in</title><input type="password">',
      }),
    },
    'transport',
    'problem: The server responds with a login page, "Sign in" (status 200), not with MCP.',
  ],
  [
    'a gateway without its server',
    { conversation: conversation({ status: 502 }) },
    'transport',
    'problem: A gateway responds, but the server behind it does not (status 502).',
  ],
  [
    'a server that fails',
    { conversation: conversation({ status: 500 }) },
    'transport',
    'problem: The server fails (status 500).',
  ],
  [
    'a redirect to another path',
    { conversation: conversation({ status: 307, headers: { location: '/mcp/' } }) },
    'transport',
    'problem: The server redirects to https://mcp.example.com/mcp/ (status 307).',
  ],
  [
    'a firewall that wants a browser',
    { conversation: conversation({ status: 403, headers: { 'cf-mitigated': 'challenge' } }) },
    'challenge',
    'problem: A firewall (Cloudflare) refuses clients other than browsers with status 403.',
  ],
  [
    'a 401 that says nothing',
    {},
    'challenge',
    'note: The server responds with 401 without WWW-Authenticate',
  ],
  [
    'a challenge of Basic',
    {
      conversation: conversation({
        status: 401,
        headers: { 'www-authenticate': 'Basic realm="x"' },
      }),
    },
    'challenge',
    'ok: The server responds with 401 and these challenges: basic.',
  ],
  [
    'a 403',
    { conversation: conversation({ status: 403, body: 'Missing API key' }) },
    'challenge',
    'note: The server responds with 403 to a request without a credential; 401 would allow a challenge. The body is "Missing API key".',
  ],
  [
    'a challenge whose metadata is missing',
    {
      conversation: conversation({
        status: 401,
        headers: { 'www-authenticate': 'Bearer resource_metadata="https://mcp.example.com/x"' },
      }),
    },
    'metadata',
    'problem: The challenge refers to metadata that does not exist.',
  ],
  [
    'metadata of its own',
    issuerSeen(),
    'metadata',
    'ok: The server publishes metadata that matches its URL. It lists no scopes.',
  ],
  [
    'metadata that the library refuses',
    {
      ...issuerSeen(),
      authorization: {
        named: [],
        issuers: [],
        refusal: {
          code: 'discovery',
          message: 'It describes another resource.',
          remedy: 'Mend it.',
        },
      },
      conversation: conversation({
        status: 401,
        headers: { 'www-authenticate': 'Bearer resource_metadata="https://mcp.example.com/x"' },
      }),
    },
    'metadata',
    'problem: It describes another resource.',
  ],
  ['PKCE', issuerSeen(), 'pkce', 'ok: It supports PKCE with S256.'],
  [
    'a server without PKCE',
    issuerSeen({
      metadata: { ...metadata, code_challenge_methods_supported: ['plain'] },
      loginRefusal: { code: 'unsupported_server', message: 'No PKCE.' },
    }),
    'pkce',
    'problem: It does not list PKCE with S256, which MCP requires.',
  ],
  [
    'a server that is known to support PKCE',
    issuerSeen({ metadata: { ...metadata, code_challenge_methods_supported: undefined } as never }),
    'pkce',
    'ok: It does not list PKCE, but it is known to support it.',
  ],
  [
    'endpoints that are not its own',
    issuerSeen({
      loginRefusal: { code: 'discovery', message: 'Nothing shows that they belong together.' },
      needsPin: true,
    }),
    'safeguards',
    'problem: Nothing shows that they belong together.',
  ],
  [
    'clients that register themselves',
    issuerSeen({ metadata: { ...metadata, registration_endpoint: 'https://login.example.com/r' } }),
    'registration',
    'ok: Clients register themselves (RFC 7591).',
  ],
  [
    'clients with a document',
    issuerSeen({ metadata: { ...metadata, client_id_metadata_document_supported: true } }),
    'registration',
    'note: Clients use a metadata document (CIMD)',
  ],
  [
    'clients that are registered by hand',
    issuerSeen(),
    'registration',
    'note: Clients cannot register themselves',
  ],
  [
    'servers that list no methods',
    issuerSeen(),
    'client-authentication',
    'note: It accepts client_secret_basic. It lists no methods, so this is the default.',
  ],
  [
    'grants',
    issuerSeen({ metadata: { ...metadata, grant_types_supported: ['client_credentials'] } }),
    'grants',
    'ok: It offers client credentials.',
  ],
  [
    'no grant that is known',
    issuerSeen({ metadata: { ...metadata, grant_types_supported: ['password'] } }),
    'grants',
    'problem: It offers no grant that this library supports: password.',
  ],
  [
    'a server that does not name itself',
    issuerSeen(),
    'iss',
    'note: Its responses do not contain its issuer (`iss`, RFC 9207).',
  ],
  [
    'tokens that must be bound, where they cannot be',
    {
      ...issuerSeen(),
      authorization: {
        ...issuerSeen().authorization,
        resource: { requiresDpop: true, scopes: [], bearerMethods: undefined },
      } as Observations['authorization'],
    },
    'dpop',
    'problem: The MCP server accepts only tokens that are bound to a key, but this server lists no algorithm for DPoP.',
  ],
  [
    'tokens that can be bound',
    issuerSeen({ metadata: { ...metadata, dpop_signing_alg_values_supported: ['ES256'] } }),
    'dpop',
    'ok: It can bind tokens to a key (DPoP): ES256.',
  ],
  ['nothing stored', {}, 'stored', 'ok: No credential is stored for this server.'],
  [
    'a login that is stored',
    { saved: [{ ...savedLogin, expiresAt: at + day }] },
    'stored',
    'ok: A login is stored of https://login.example.com, scopes notes:read. Its token is valid until 2026-11-23 00:00 UTC.',
  ],
  [
    'a login that has ended for good',
    { saved: [{ ...savedLogin, renewable: false, expiresAt: at - day }] },
    'stored',
    'problem: A login is stored of https://login.example.com, scopes notes:read. It expired on 2026-11-21.',
  ],
  [
    'a login of an authorization server that is not named any more',
    { ...issuerSeen(), saved: [{ ...savedLogin, issuer: 'https://old.example.com' }] },
    'stored',
    'problem: A login is stored of https://old.example.com, scopes notes:read. The server names another authorization server now.',
  ],
  [
    'a store that cannot be read',
    { saved: { code: 'store', message: 'The keychain is locked.', remedy: 'Unlock it.' } },
    'stored',
    'note: The keychain is locked.',
  ],
]

describe('the findings of doctor', () => {
  it.each(table)('speaks of %s', (_name, changes, id, text) => {
    const findings = checkAll(sight(changes))

    const lines = linesOf({ findings }, id)
    expect(lines.find((line) => line.startsWith(text)) ?? lines).toContain(text)
  })

  it.each([true, false])(
    'names the option of the command and of the provider for bound tokens (required: %s)',
    (requiresDpop) => {
      const issuer = issuerSeen({
        metadata: { ...metadata, dpop_signing_alg_values_supported: ['ES256'] },
      })
      const resource = { requiresDpop, scopes: [], bearerMethods: undefined }
      const authorization = { ...issuer.authorization, resource } as Observations['authorization']

      const lines = checkAll(sight({ ...issuer, authorization })).filter(({ id }) => id === 'dpop')

      const remedies = lines.flatMap(({ remedy }) => remedy ?? [])
      expect(remedies).toHaveLength(1)
      expect(remedies[0]).toContain('`dpop: true`')
      expect(remedies[0]).toContain('`--dpop`')
    },
  )

  it('gives every problem a remedy', () => {
    const problems = table
      .flatMap(([, changes]) => checkAll(sight(changes)))
      .filter(({ verdict }) => verdict === 'problem')

    expect(problems.length).toBeGreaterThan(20)
    expect(problems.filter(({ remedy = '' }) => remedy === '')).toEqual([])
  })

  it('tells a server that is not there from one that is not trusted', () => {
    const away = sight({ conversation: { post: silent('ECONNREFUSED'), elsewhere: [] } })
    const untrusted = sight({
      conversation: { post: silent('DEPTH_ZERO_SELF_SIGNED_CERT'), elsewhere: [] },
      certificate: certificate({ problem: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    })

    expect(outcomeOf(away, checkAll(away))).toBe('unreachable')
    expect(outcomeOf(untrusted, checkAll(untrusted))).toBe('problem')
    expect(outcomeOf(sight(), checkAll(sight()))).toBe('ok')
  })

  it('searches the usual paths, but not the one that was asked', () => {
    const paths = usualPaths(new URL('https://mcp.example.com/mcp'))

    expect(paths).toEqual(['/mcp/', '/sse', '/mcp/mcp', '/mcp/sse', '/'])
    expect(usualPaths(new URL('https://mcp.example.com/'))).toEqual(['/mcp', '/sse'])
  })
})
