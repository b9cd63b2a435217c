import { chmod } from 'node:fs/promises'
import { join } from 'node:path'
import envPaths from 'env-paths'
import { describe, expect, test } from 'vitest'
import { inTenant, loadConfig } from '../../src/config/index.ts'
import type { CredentialProvider, CredentialSelector } from '../../src/index.ts'
import { ConfigurationError } from '../../src/index.ts'
import { settingsFolder } from '../../src/stores/user-folders.ts'
import { authBlocks } from './auth-blocks.ts'
import { headersOf, project, trusted } from './project.ts'

const url = 'https://crm.example.com/mcp'
const server = (members: object = {}) => ({ mcpServers: { crm: { url, ...members } } })

/** The headers that an entry of a trusted file leads to. */
async function headersFor(
  members: object,
  env: Record<string, string> = {},
  files: Readonly<Record<string, unknown>> = {},
): Promise<Record<string, string>> {
  const { load } = await project({ '.mcp.json': server(members), ...files })
  const config = await load({ ...trusted, env })
  return headersOf(config.credentials('crm'))
}

describe('loadConfig', () => {
  test('reads the files of the known clients, the nearest first', async () => {
    const { load, root } = await project({
      'packages/a/.mcp.json': { mcpServers: { crm: { url, headers: { 'X-From': 'a' } } } },
      '.mcp.json': { mcpServers: { crm: { url }, wiki: { url: 'https://wiki.example.com/mcp' } } },
      '.vscode/mcp.json': { servers: { docs: { type: 'http', url: 'https://docs.example.com' } } },
      '.cursor/mcp.json': { mcpServers: { cursor: { url: 'https://cursor.example.com/mcp' } } },
      'mcp.json': { mcpServers: { own: { serverUrl: 'https://own.example.com/mcp' } } },
      '~/.claude.json': { mcpServers: { crm: { url }, code: { url: 'http://127.0.0.1:1/mcp' } } },
      '~/.config/Claude/claude_desktop_config.json': { mcpServers: { desktop: { command: 'x' } } },
      '~/.cursor/mcp.json': { mcpServers: { cursorOwn: { url } } },
      '~/.config/Code/User/mcp.json': { servers: { code2: { url } } },
      '~/.codeium/windsurf/mcp_config.json': { mcpServers: { windsurf: { serverUrl: url } } },
      '~/.config/mcp-credentials/mcp.json': { mcpServers: { ours: { url } } },
    })

    const cwd = join(root, 'packages/a')
    const { servers } = await load({ cwd })

    expect(servers.map(({ name }) => name)).toEqual([
      'crm',
      'wiki',
      'cursor',
      'docs',
      'own',
      'ours',
      'code',
      'desktop',
      'cursorOwn',
      'code2',
      'windsurf',
    ])
    const { servers: named } = await load({ cwd, ...trusted })
    expect(named[0]).toMatchObject({ file: join(root, 'packages/a/.mcp.json'), line: 3 })
    expect(servers.filter(({ isTrusted }) => isTrusted).map(({ name }) => name)).toEqual([
      'crm',
      'ours',
      'code',
      'desktop',
      'cursorOwn',
      'code2',
      'windsurf',
    ])
  })

  test('takes what Claude Code keeps for this project before the files of the project', async () => {
    const { load, root, write } = await project({ '.mcp.json': server() })
    const local = { [root]: server({ headers: { 'X-Local': 'yes' } }) }
    await write('~/.claude.json', { projects: { ...local, '/elsewhere': server() } })

    const config = await load()

    expect(config.servers).toHaveLength(1)
    expect(config.server('crm')).toMatchObject({ isTrusted: true, line: 5 })
    expect(await headersOf(config.credentials('crm'))).toEqual({ 'x-local': 'yes' })
  })

  test('keeps its own file where env-paths says', () => {
    const { platform, env } = process
    const home = env['HOME'] ?? ''

    expect(settingsFolder({ platform, home, env })).toBe(
      envPaths('mcp-credentials', { suffix: '' }).config,
    )
  })

  test('reads one file alone when that is chosen', async () => {
    const { load, root, write } = await project({ '.mcp.json': server() })
    const path = await write('other.json', { mcpServers: { other: { url } } })

    const byOption = await load({ path: 'other.json' })
    const byVariable = await load({ env: { MCP_CREDENTIALS_CONFIG: path } })

    expect(byOption.servers.map(({ name }) => name)).toEqual(['other'])
    expect(byVariable.servers.map(({ name }) => name)).toEqual(['other'])
    expect(byOption.files).toMatchObject([{ path: join(root, 'other.json'), kind: 'chosen' }])
  })

  test('says that a chosen file is missing, or has no servers', async () => {
    const { load, write } = await project()
    await write('typo.json', { mcpServer: {} })

    await expect(load({ path: 'nothing.json' })).rejects.toThrow('There is no config file')
    await expect(load({ path: 'typo.json' })).rejects.toThrow(
      'typo.json:2:3: Expected `mcpServers` or `servers`, and found `mcpServer`.',
    )
  })

  test('accepts comments, trailing commas and a byte order mark', async () => {
    const { load } = await project({
      '.mcp.json': `\ufeff// ours\n{ "mcpServers": { "crm": { "url": "${url}", /* x */ }, }, }`,
    })

    expect((await load()).servers).toMatchObject([{ name: 'crm', line: 2 }])
  })

  test('has nothing where there are no files', async () => {
    const { load } = await project()

    expect(await load()).toMatchObject({ files: [], servers: [], warnings: [] })
  })

  test('refuses options that do not exist', async () => {
    await expect(loadConfig({ file: 'x' } as never)).rejects.toThrow(ConfigurationError)
  })

  test('finds a server by the URL of a resource', async () => {
    const { load } = await project({ '.mcp.json': server() })
    const config = await load()

    expect(config.find(`${url}/?x=1#y`)?.name).toBe('crm')
    expect(config.find('https://crm.example.com/other')).toBeUndefined()
    expect(config.find('https://evil.example.com/mcp')).toBeUndefined()
  })

  test('finds the entry of the very query alone, as soon as one entry tells queries apart', async () => {
    const entry = (name: string, query = '') => ({
      url: `${url}${query}`,
      auth: { provider: 'bearer', token: `env:${name}` },
    })
    const tenants = { ada: entry('ADA', '?tenant=ada'), bob: entry('BOB', '?tenant=bob') }
    const two = await project({ '.mcp.json': { mcpServers: tenants } })
    const three = await project({ '.mcp.json': { mcpServers: { ...tenants, all: entry('ALL') } } })

    const config = await two.load(trusted)
    const general = await three.load(trusted)

    expect(config.find(`${url}?tenant=bob`)?.name).toBe('bob')
    expect(config.find(`${url}?tenant=eve`)).toBeUndefined()
    expect(config.find(url)).toBeUndefined()
    expect(general.find(`${url}?tenant=bob`)?.name).toBe('bob')
    expect(general.find(`${url}?tenant=eve`)).toBeUndefined()
    expect(general.find(url)?.name).toBe('all')
  })

  test('does not choose between two entries of a file whose credentials differ', async () => {
    const entry = (name: string) => ({ url, auth: { provider: 'bearer', token: `env:${name}` } })
    const { load } = await project({
      '.mcp.json': { mcpServers: { ada: entry('A'), bob: entry('B') } },
    })

    const config = await load(trusted)

    expect(() => config.find(url)).toThrow('`ada` and `bob`')
  })

  test('names the server that was perhaps meant', async () => {
    const { load } = await project({ '.mcp.json': server() })
    const config = await load()

    expect(() => config.server('cmr')).toThrow('Did you mean `crm`?')
    expect(() => config.credentials('__proto__')).toThrow('There is no server')
  })
})

describe('an entry', () => {
  test.each([
    [{ provider: 'apiKey', value: 'env:KEY', header: 'X-Key' }, { 'x-key': 'secret' }],
    [{ provider: 'bearer', token: 'file:token.txt' }, { authorization: 'Bearer from-file' }],
    [
      { provider: 'bearer', token: 'command:node -p "\'from-\' + 1"' },
      { authorization: 'Bearer from-1' },
    ],
    [
      { provider: 'bearer', token: { command: ['node', '-p', '`$|from`.slice(2) + "-2"'] } },
      { authorization: 'Bearer from-2' },
    ],
    [{ provider: 'bearer', token: `\${KEY}` }, { authorization: 'Bearer secret' }],
    [
      { provider: 'basic', username: 'agent', password: 'env:KEY' },
      { authorization: `Basic ${Buffer.from('agent:secret').toString('base64')}` },
    ],
    [
      { provider: 'headers', headers: { 'X-Tenant': 'acme', 'X-Token': 'env:KEY' } },
      { 'x-tenant': 'acme', 'x-token': 'secret' },
    ],
    [{ provider: 'fromCommand', command: ['node', '-p', '1+1'] }, { authorization: 'Bearer 2' }],
    [
      {
        provider: 'all',
        providers: [
          { provider: 'bearer', token: 'env:KEY' },
          { provider: 'headers', headers: { 'X-Tenant': `\${TENANT:-none}` } },
        ],
      },
      { authorization: 'Bearer secret', 'x-tenant': 'none' },
    ],
    [
      {
        provider: 'firstAvailable',
        providers: [
          { provider: 'bearer', token: 'env:MISSING' },
          { provider: 'bearer', token: 'env:KEY' },
        ],
      },
      { authorization: 'Bearer secret' },
    ],
  ])('%#: puts the credential of its `auth` block on a request', async (auth, expected) => {
    const files = { 'token.txt': 'from-file\n' }

    expect(await headersFor({ auth }, { KEY: 'secret' }, files)).toEqual(expected)
  })

  test('reads headers as the known clients write them', async () => {
    const headers = {
      Authorization: `Bearer \${TOKEN}`,
      'X-Key': `\${env:KEY}`,
      'X-Team': `\${TEAM:-sales}`,
      'X-File': `\${file:./part}`,
      Accept: 'application/json',
    }

    const sent = await headersFor({ headers }, { TOKEN: 't-1', KEY: 'k-1' }, { part: 'p-1' })

    expect(sent).toEqual({
      authorization: 'Bearer t-1',
      'x-key': 'k-1',
      'x-team': 'sales',
      'x-file': 'p-1',
    })
  })

  test('reads a variable anew each time, and says which one is missing', async () => {
    const env: Record<string, string> = {}
    const { load } = await project({ '.mcp.json': server({ headers: { 'X-Key': `\${KEY}` } }) })
    const config = await load({ ...trusted, env })

    await expect(headersOf(config.credentials('crm'))).rejects.toThrow('variable KEY is not set')
    env['KEY'] = 'now'
    expect(await headersOf(config.credentials('crm'))).toEqual({ 'x-key': 'now' })
  })

  test('asks for an input once, with what the file says about it', async () => {
    const asked: unknown[] = []
    const { load } = await project({
      '.vscode/mcp.json': {
        inputs: [{ id: 'key', type: 'promptString', description: 'CRM key', password: true }],
        servers: { crm: { url, headers: { 'X-Key': `\${input:key}` } } },
      },
    })
    const input = async (...given: unknown[]) => {
      asked.push(given)
      return 'typed'
    }

    const config = await load({ ...trusted, input })
    await headersOf(config.credentials('crm'))

    expect(await headersOf(config.credentials('crm'))).toEqual({ 'x-key': 'typed' })
    expect(asked).toEqual([['key', 'CRM key', true]])
  })

  test('runs a headers helper without a shell', async () => {
    const script = '#!/bin/sh\necho \'{"X-Dynamic": "\'$1\'"}\''
    const { load, write } = await project({
      '.mcp.json': server({ headersHelper: './helper "one two"' }),
    })
    await chmod(await write('helper', script), 0o755)

    const config = await load(trusted)

    expect(await headersOf(config.credentials('crm'))).toEqual({ 'x-dynamic': 'one two' })
  })

  test('does not run this library’s own headers helper, which would call itself for ever', async () => {
    const { load } = await project({
      '.mcp.json': server({ headersHelper: 'npx -y mcp-credentials headers crm' }),
    })
    const config = await load(trusted)

    expect(config.credentials('crm')).toMatchObject({ name: 'savedLogin' })
  })

  test('without `auth` uses a saved login, if the server requires one', async () => {
    const { load } = await project({ '.mcp.json': server({ oauth: { clientId: 'agent-7' } }) })
    const config = await load(trusted)

    expect(config.credentials('crm')).toMatchObject({ name: 'savedLogin', discovers: true })
    const described = { usesSavedLogin: true, oauth: { clientId: 'agent-7' } }
    expect(config.server('crm')).toMatchObject(described)
  })

  test('takes Cursor’s own `auth` for what it is', async () => {
    const auth = { CLIENT_ID: 'agent-8', CLIENT_SECRET: `\${env:S}`, scopes: ['a', 'b'] }
    const { load } = await project({ '.cursor/mcp.json': server({ auth }) })

    const config = await load(trusted)

    expect(config.server('crm').oauth).toEqual({ clientId: 'agent-8', scope: 'a b' })
    expect(config.credentials('crm')).toMatchObject({ name: 'savedLogin' })
  })

  test('says where a mistake is that its provider finds', async () => {
    const auth = { provider: 'clientCredentials', clientId: 'a', clientSecret: 'env:S' }
    const { load, root } = await project({ '.mcp.json': server({ auth }) })
    const config = await load(trusted)

    const path = join(root, '.mcp.json')
    expect(() => config.credentials('crm')).toThrow(`${path}:3:5: server \`crm\`: `)
    expect(() => config.credentials('crm')).toThrow('issuer')
  })

  test.each(authBlocks.map((auth) => [auth.provider, auth] as const))(
    'makes a provider of a block of %s',
    async (name, auth) => {
      const { load } = await project({ '.mcp.json': server({ auth }) })
      const config = await load({ ...trusted, onUserCode: () => {} })

      const provider = config.credentials('crm')

      const grant = name === 'workload' ? 'jwtBearer' : name
      expect(provider.name.replace(/\(.*/, '')).toBe(grant)
    },
  )

  test('shows the code of a device login through the option of loadConfig()', async () => {
    const auth = { provider: 'deviceCode', clientId: 'a' }
    const { load } = await project({ '.mcp.json': server({ auth }) })

    const without = await load(trusted)
    const config = await load({ ...trusted, onUserCode: () => {} })

    expect(() => without.credentials('crm')).toThrow('`onUserCode`')
    expect(config.credentials('crm')).toMatchObject({ name: 'deviceCode' })
  })
})

describe('environments', () => {
  const auth = (name: string) => ({ provider: 'apiKey', value: `env:${name}` })
  const members = {
    auth: auth('DEV_KEY'),
    environments: {
      staging: { url: 'https://crm.example.com/staging' },
      production: { url: 'https://crm.example.com/v2', auth: auth('PROD_KEY') },
    },
  }
  const env = { DEV_KEY: 'dev', PROD_KEY: 'prod' }

  test('change the URL and the credential of an entry', async () => {
    const { load } = await project({ '.mcp.json': server(members) })

    const base = await load({ ...trusted, env })
    const production = await load({ ...trusted, env, environment: 'production' })
    const staging = await load({ ...trusted, env: { ...env, MCP_CREDENTIALS_ENV: 'staging' } })

    expect(base.server('crm').url?.href).toBe(url)
    expect(await headersOf(base.credentials('crm'))).toEqual({ 'x-api-key': 'dev' })
    expect(production.server('crm')).toMatchObject({ environment: 'production' })
    expect(await headersOf(production.credentials('crm'))).toEqual({ 'x-api-key': 'prod' })
    expect(staging.server('crm').url?.href).toBe('https://crm.example.com/staging')
  })

  test.each([
    ['its auth', { auth: auth('DEV_KEY') }, 'auth'],
    ['its tenants', { tenants: { acme: { auth: auth('DEV_KEY') } } }, 'auth'],
    ['its helper', { headersHelper: 'run' }, 'auth'],
    ['a header that is read', { headers: { 'X-Team': `\${DEV_KEY}` } }, 'headers'],
    ['a secret header', { headers: { Authorization: 'Bearer dev' } }, 'headers'],
  ])(
    'at another origin do not get the credential of the entry: %s',
    async (_what, own, missing) => {
      const staging = { url: 'https://staging.example.com/mcp' }
      const { load } = await project({
        '.mcp.json': { mcpServers: { crm: { url, ...own, environments: { staging } } } },
      })

      const config = await load({ ...trusted, env, environment: 'staging' })

      expect(() => config.credentials('crm')).toThrow(
        `has another origin, which must not receive the credential of the entry; add \`${missing}\``,
      )
    },
  )

  test('at another origin use their own credential', async () => {
    const staging = { url: 'https://staging.example.com/mcp', auth: auth('PROD_KEY') }
    const plain = { url: 'https://plain.example.com/mcp' }
    const { load } = await project({
      '.mcp.json': {
        mcpServers: {
          crm: { url, auth: auth('DEV_KEY'), environments: { staging } },
          plain: { url, headers: { 'X-Team': 'sales' }, environments: { staging: plain } },
        },
      },
    })

    const config = await load({ ...trusted, env, environment: 'staging' })

    const provider = config.credentials('crm')
    expect(await headersOf(provider, staging.url)).toEqual({ 'x-api-key': 'prod' })
    expect(config.server('plain').problem).toBeUndefined()
  })

  test('that an entry does not have leave it without a credential', async () => {
    const { load } = await project({ '.mcp.json': server(members) })

    const config = await load({ ...trusted, env, environment: 'prod' })

    expect(() => config.credentials('crm')).toThrow(
      'it has no environment `prod`; its environments are staging, production',
    )
  })

  test('are needed where the URL stands in them alone', async () => {
    const { load } = await project({
      '.mcp.json': { mcpServers: { crm: { environments: { dev: { url } } } } },
    })

    const config = await load(trusted)
    const chosen = await load({ ...trusted, environment: 'dev' })

    expect(() => config.credentials('crm')).toThrow('choose one of dev')
    expect(chosen.server('crm').url?.href).toBe(url)
  })
})

describe('tenants', () => {
  const tenants = {
    acme: { auth: { provider: 'bearer', token: 'env:ACME' } },
    globex: { auth: { provider: 'bearer', token: 'env:GLOBEX' } },
  }
  const request = {
    method: 'POST',
    url: new URL(url),
    mcpMethod: undefined,
    toolName: undefined,
  }

  async function selector(): Promise<CredentialSelector> {
    const { load } = await project({ '.mcp.json': server({ tenants }) })
    const config = await load({ ...trusted, env: { ACME: 'acme-1', GLOBEX: 'globex-1' } })
    return config.credentials('crm') as CredentialSelector
  }

  const made = (choice: ReturnType<CredentialSelector['select']>) =>
    (choice.provider as () => CredentialProvider)()

  test('have a credential each, for what runs in their name', async () => {
    const choices = await selector()

    const acme = inTenant('acme', () => choices.select(request))
    const globex = inTenant('globex', () => choices.select(request))

    expect([acme.key, globex.key]).toEqual(['acme', 'globex'])
    expect(await headersOf(made(acme))).toEqual({ authorization: 'Bearer acme-1' })
    expect(await headersOf(made(globex))).toEqual({ authorization: 'Bearer globex-1' })
  })

  test('that are unknown get nothing, nor does a request of nobody', async () => {
    const choices = await selector()

    expect(() => choices.select(request)).toThrow('Make the request within `inTenant(name, task)`')
    const unknown = inTenant('acmee', () => choices.select(request))
    expect(() => made(unknown)).toThrow('has no tenant `acmee`. Did you mean `acme`?')
  })
})

describe('a server of stdio', () => {
  const local = (env: object) => ({ mcpServers: { local: { command: 'run', args: ['-x'], env } } })

  test('has its secrets read into its environment, and nothing else', async () => {
    const { load } = await project({
      '.mcp.json': local({ PLAIN: 'a', NODE_ENV: 'test', KEY: `\${KEY}`, PART: `x-\${file:part}` }),
      part: 'p',
    })
    const config = await load({ ...trusted, env: { KEY: 'secret', OTHER: 'no' } })

    expect(config.servers).toMatchObject([{ kind: 'stdio', command: 'run', args: ['-x'] }])
    expect(await config.environmentOf('local')).toEqual({
      PLAIN: 'a',
      NODE_ENV: 'test',
      KEY: 'secret',
      PART: 'x-p',
    })
  })

  test('gets no secret where it decides what the process loads', async () => {
    const { load } = await project({ '.mcp.json': local({ NODE_OPTIONS: `\${KEY}` }) })
    const config = await load({ ...trusted, env: { KEY: 'secret' } })

    await expect(config.environmentOf('local')).rejects.toThrow('NODE_OPTIONS determines')
  })

  test('has no credentials, and one with a URL has no environment', async () => {
    const { load } = await project({
      '.mcp.json': { mcpServers: { a: { command: 'x' }, b: { url } } },
    })
    const config = await load(trusted)

    expect(() => config.credentials('a')).toThrow('it is a stdio server without a URL')
    await expect(config.environmentOf('b')).rejects.toThrow('it has a URL')
  })
})

describe('a secret that stands in a file', () => {
  test('works, and is a warning with its place and the command that moves it', async () => {
    const { load, root } = await project({
      '.mcp.json': {
        mcpServers: {
          crm: { url, headers: { 'X-API-Key': 'canary-1', 'X-Team': 'sales' } },
          local: { command: 'x', env: { GITHUB_TOKEN: 'canary-2', LEVEL: 'debug' } },
          query: { url: `${url}?api_key=canary-3` },
        },
      },
    })

    const config = await load(trusted)

    expect(await headersOf(config.credentials('crm'))).toMatchObject({ 'x-api-key': 'canary-1' })
    expect(await config.environmentOf('local')).toMatchObject({ GITHUB_TOKEN: 'canary-2' })
    const file = join(root, '.mcp.json')
    const remedy = `Run \`npx mcp-credentials import --config ${file}\` to move it.`
    expect(config.warnings).toMatchObject([
      { kind: 'secret', file, line: 6, column: 22, remedy },
      { kind: 'secret', file, line: 13, column: 25, remedy },
      { kind: 'secret_in_url', file, line: 17, column: 5, remedy },
    ])
    expect(JSON.stringify(config.warnings)).not.toContain('canary')
  })

  test.each([
    ['Authorization', `Bearer \${TOKEN}`],
    ['Authorization', `\${TOKEN}`],
    ['X-Team', 'sales'],
    ['X-Key-Path', '/run/secrets/key'],
    ['X-Key-Id', 'key-2026'],
  ])('is not seen in %s: %s', async (name, value) => {
    const { load } = await project({ '.mcp.json': server({ headers: { [name]: value } }) })

    expect((await load()).warnings).toEqual([])
  })
})
