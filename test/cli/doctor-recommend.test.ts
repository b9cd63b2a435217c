import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Issuer, Observations } from '../../src/cli/doctor/observations.ts'
import { nameOf, recommend } from '../../src/cli/doctor/recommend.ts'
import { commandWord } from '../../src/cli/labels.ts'
import { makeProgram } from '../../src/cli/program.ts'
import { makeTerminal } from '../../src/cli/terminal.ts'
import { loadConfig } from '../../src/config/index.ts'
import { compileProblems } from '../support/compile.ts'
import { conversation, sight, welcome } from './doctor-support.ts'

const root = new URL('../..', import.meta.url).pathname
const issuer = 'https://login.example.com'
const metadata = {
  issuer,
  authorization_endpoint: `${issuer}/authorize`,
  token_endpoint: `${issuer}/token`,
  registration_endpoint: `${issuer}/register`,
  code_challenge_methods_supported: ['S256'],
}
const grant = (name: string) => ({ ...metadata, grant_types_supported: [name] })
const refused = (headers: Record<string, string>, status = 401) => ({
  conversation: conversation({ status, headers }),
})

function oauth(changes: Partial<Issuer>, requiresDpop = false): Partial<Observations> {
  return {
    ...refused({ 'www-authenticate': 'Bearer' }),
    authorization: {
      resource: { requiresDpop, scopes: [], bearerMethods: undefined },
      named: [issuer],
      issuers: [{ issuer, metadata, ...changes }],
    },
  }
}

const stream = {
  kind: 'response',
  status: 200,
  headers: new Headers({ 'content-type': 'text/event-stream' }),
  body: '',
} as const
const loginRefusal = { code: 'discovery', message: 'Refused.' }
const { registration_endpoint: _, ...byHand } = metadata

/** What is seen, the provider that it gives, and what its code and its command contain. */
const table: readonly (readonly [string, Partial<Observations>, string, RegExp, RegExp?])[] = [
  ['no authorization', { conversation: conversation(welcome) }, 'none', /new Client/],
  [
    'the older transport',
    { conversation: conversation({ status: 405 }, { get: stream }) },
    'none',
    /SSEClientTransport\(url\)/,
  ],
  [
    'a 401 without a challenge',
    refused({}),
    'apiKey',
    /apiKey\({ value: env/,
    /set \S+ --header X-API-Key$/,
  ],
  [
    'another header',
    { conversation: conversation({ status: 401, body: 'Ocp-Apim-Subscription-Key is missing' }) },
    'apiKey',
    /apiKey\({ header: 'Ocp-Apim-Subscription-Key', value/,
    /--header Ocp-Apim-Subscription-Key$/,
  ],
  [
    'a bearer challenge',
    refused({ 'www-authenticate': 'Bearer' }),
    'bearer',
    /bearer\(env\('MCP_TOKEN'\)\)/,
    /set \S+ --bearer$/,
  ],
  [
    'a Basic challenge',
    refused({ 'www-authenticate': 'Basic realm="x"' }),
    'basic',
    /basic\({ username/,
    /set \S+ --basic$/,
  ],
  [
    'AWS',
    refused({ 'x-amzn-errortype': 'AccessDeniedException' }, 403),
    'awsSigV4',
    /awsSigV4\(\)/,
  ],
  [
    'Cloudflare Access',
    refused({ location: 'https://team.cloudflareaccess.com/login' }, 302),
    'headers',
    /'CF-Access-Client-Id': env/,
  ],
  [
    'a client that registers itself',
    oauth({}),
    'authorizationCode',
    /authorizationCode\({ clientName/,
    /login https:\/\/mcp.example.com\/mcp$/,
  ],
  [
    'bound tokens',
    oauth({}, true),
    'authorizationCode',
    /dpop: true/,
    /login https:\/\/mcp.example.com\/mcp --dpop$/,
  ],
  [
    'a client of a document',
    oauth({ metadata: { ...byHand, client_id_metadata_document_supported: true } }),
    'authorizationCode',
    /clientMetadataUrl: 'https/,
    /login \S+ --client-id https:\/\/my-agent.example.com\/client.json$/,
  ],
  [
    'a client that is registered by hand',
    oauth({ metadata: byHand }),
    'authorizationCode',
    /clientId: 'my-agent',\s+issuer: 'https:\/\/login.example.com'/,
    /--client-id my-agent --issuer https:\/\/login.example.com$/,
  ],
  [
    'endpoints that the application has to vouch for',
    oauth({ loginRefusal, needsPin: true }),
    'authorizationCode',
    /issuer: 'https:\/\/login.example.com'/,
    /--issuer https:\/\/login.example.com$/,
  ],
  [
    'private networks that were allowed',
    { ...oauth({}), allowsPrivateNetwork: true },
    'authorizationCode',
    /allowPrivateNetwork: true/,
    /--allow-private-network$/,
  ],
  [
    'a login on another device',
    oauth({
      loginRefusal,
      metadata: { ...metadata, device_authorization_endpoint: `${issuer}/device` },
    }),
    'deviceCode',
    /onUserCode/,
    /--device --client-id my-agent/,
  ],
  [
    'client credentials',
    oauth({ loginRefusal, metadata: grant('client_credentials') }),
    'clientCredentials',
    /env\('MCP_CLIENT_SECRET'\)/,
  ],
  [
    'assertions of a platform',
    oauth({ loginRefusal, metadata: grant('urn:ietf:params:oauth:grant-type:jwt-bearer') }),
    'workloadIdentity',
    /workloadIdentity\(\{\s+issuer: '/,
  ],
]

const cases = table.map(([name, changes, provider, code, command]) => {
  return { name, changes, provider, code, command }
})

function recommended(changes: Partial<Observations>) {
  const recommendation = recommend(sight(changes))
  if (recommendation === undefined) throw new Error('nothing is recommended')
  return recommendation
}

describe('the recommendation of doctor', () => {
  it.each(cases)('fits $name', ({ changes, provider, code, command }) => {
    const recommendation = recommended(changes)

    expect(recommendation.provider).toBe(provider)
    expect(recommendation.code.sdkV2).toMatch(code)
    if (command === undefined) return
    expect(recommendation.command).toMatch(command)
  })

  it('compiles, for both versions of the SDK and for fetch alone', () => {
    const virtual = new Map<string, string>()
    table.forEach(([, changes], index) => {
      for (const [kind, code] of Object.entries(recommended(changes).code)) {
        virtual.set(join(root, `test/cli/recommended-${index}-${kind}.mts`), `${code}\n`)
      }
    })

    expect(virtual.size).toBeGreaterThan(40)
    // What is wrong would be seen.
    virtual.set(join(root, 'test/cli/wrong.mts'), "import { none } from 'mcp-credentials'")

    const problems = compileProblems(virtual)

    expect(problems.filter((each) => !each.includes('/wrong.mts'))).toEqual([])
    expect(problems).toHaveLength(1)
  }, 120_000)

  it.each(cases)('has an entry for mcp.json that can be loaded: $name', async ({ changes }) => {
    const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const path = join(folder, 'mcp.json')
    writeFileSync(path, JSON.stringify(recommended(changes).mcpJson))

    const config = await loadConfig({ path, cwd: folder, home: folder, env: {} })

    expect(config.warnings).toEqual([])
    expect(config.servers.map(({ name, url }) => [name, String(url)])).toEqual([
      ['example', 'https://mcp.example.com/mcp'],
    ])
  })

  it('lends the token of a platform to no issuer that was not checked', () => {
    const metadata = grant('urn:ietf:params:oauth:grant-type:jwt-bearer')
    const { reason, mcpJson } = recommended(oauth({ loginRefusal, metadata }))

    expect(reason).toMatch(/Check that https:\/\/\S+ is the expected authorization server/)
    expect(JSON.stringify(mcpJson)).toContain('"provider":"workload"')
  })

  it('has commands with options that exist', async () => {
    const { stdin, stdout, stderr } = process
    const terminal = makeTerminal({ stdin, stdout, stderr, env: {}, cwd: '/' })
    const { commands } = await makeProgram(terminal, () => async () => {})
    const recommendations = table.flatMap(([, changes]) => recommended(changes).command ?? [])

    const unknown = recommendations.filter((text) => {
      const [, , name] = text.split(' ')
      const command = commands.find((each) => each.name() === name)
      const flags = text.match(/(?<= )--[a-z-]+/g) ?? []
      return !flags.every((flag) => command?.options.some(({ long }) => long === flag) === true)
    })

    expect(recommendations.length).toBeGreaterThan(8)
    expect(unknown).toEqual([])
  })

  it('is silent where something has to be mended first', () => {
    const page = { conversation: conversation({ status: 404 }) }
    const stopped = oauth({ loginRefusal, pinnedRefusal: loginRefusal })

    expect(recommend(sight(page))).toBeUndefined()
    expect(recommend(sight(stopped))).toBeUndefined()
    expect(recommend(sight({ conversation: undefined }))).toBeUndefined()
  })

  it('says when the URL in it is shortened', () => {
    const url = new URL('https://mcp.example.com/Zx81kQ0pLmN4rT7vWy2sB5dF8gH1jK3c/mcp?key=s3cret')

    const recommendation = recommended({ url, ...refused({}) })

    expect(recommendation.isShortened).toBe(true)
    expect(JSON.stringify(recommendation)).not.toMatch(/Zx81kQ0p|s3cret/)
    expect(recommended(refused({})).isShortened).toBe(false)
  })

  it.each([
    ["it's", "'it'\\''s'"],
    ['https://mcp.example.com/mcp', 'https://mcp.example.com/mcp'],
    ['$(rm)', "'$(rm)'"],
  ])('quotes %s for the shell', (text, word) => {
    expect(commandWord(text)).toBe(word)
  })

  it.each([
    ['https://mcp.notion.com/mcp', 'notion'],
    ['https://api.githubcopilot.com/mcp', 'githubcopilot'],
    ['http://127.0.0.1:3000/mcp', 'server'],
    ['http://localhost:3000/mcp', 'server'],
    ['https://notes/mcp', 'notes'],
    ['https://mcp.com/', 'server'],
  ])('names the server at %s', (url, name) => {
    expect(nameOf(new URL(url))).toBe(name)
  })
})
