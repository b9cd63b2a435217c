import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { LoadConfigOptions } from '../../src/config/index.ts'
import { ConfigurationError, CredentialError, StoreError } from '../../src/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { headersOf, project, trusted } from './project.ts'

const url = 'https://crm.example.com/mcp'

/** What loading a project's file throws, or what using its server `crm` throws. */
async function failure(content: unknown, options: LoadConfigOptions = trusted): Promise<Error> {
  const { load } = await project({ '.mcp.json': content })
  try {
    const config = await load(options)
    config.credentials('crm')
  } catch (error) {
    return error as Error
  }
  throw new Error('Nothing was thrown.')
}

const entry = (members: object) => ({ mcpServers: { crm: { url, ...members } } })
const keyAuth = { provider: 'apiKey', value: 'env:MCP_API_KEY' }

describe('a file that came with a project', () => {
  test('is listed, and its credentials are refused with the command to type', async () => {
    const { load, root } = await project({ '.mcp.json': entry({ auth: keyAuth }) })

    const config = await load()

    expect(config.servers).toMatchObject([{ name: 'crm', isTrusted: false, auth: 'API key' }])
    expect(() => config.credentials('crm')).toThrow(ConfigurationError)
    expect(() => config.credentials('crm')).toThrow(
      `npx mcp-credentials trust ${join(root, '.mcp.json')}`,
    )
  })

  test.each([
    ['a stored login', {}],
    ['a command', { auth: { provider: 'bearer', token: 'command:print-token' } }],
    ['a file', { auth: { provider: 'bearer', token: 'file:/etc/hostname' } }],
    ['the keychain', { auth: { provider: 'bearer', token: 'keychain:agent/crm' } }],
    ['a variable in a header', { headers: { Authorization: `Bearer \${TOKEN}` } }],
    ['a helper', { headersHelper: 'print-headers' }],
  ])('cannot use %s before it is trusted', async (_what, members) => {
    const error = await failure(entry(members), {})

    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain('npx mcp-credentials trust')
  })

  test('starts no process and reads no environment before it is trusted', async () => {
    const { load } = await project({
      '.mcp.json': { mcpServers: { local: { command: 'run', env: { KEY: `\${KEY}` } } } },
    })

    const config = await load({ env: { KEY: 'secret' } })

    await expect(config.environmentOf('local')).rejects.toThrow('npx mcp-credentials trust')
  })

  test('connects no client before it is trusted', async () => {
    const { load } = await project({ '.mcp.json': entry({ auth: keyAuth }) })
    const config = await load()
    const client = { connect: async () => {}, close: async () => {} }

    await expect(config.connect('crm', client)).rejects.toThrow('npx mcp-credentials trust')
  })

  test('is trusted with this very content, until that changes', async () => {
    const store = memoryStore()
    const { load, root, write } = await project({ '.mcp.json': entry({ auth: keyAuth }) })
    const path = join(root, '.mcp.json')

    await (await load({ store })).trust(path)

    const after = await load({ store, env: { MCP_API_KEY: 'key-1' } })
    expect(await headersOf(after.credentials('crm'))).toEqual({ 'x-api-key': 'key-1' })
    expect(await store.list()).toEqual([`trusted config | ${path}`])

    await write('.mcp.json', entry({ auth: { ...keyAuth, header: 'X-Other' } }))
    const changed = await load({ store })
    expect(changed.servers[0]?.isTrusted).toBe(false)
    expect(() => changed.credentials('crm')).toThrow('npx mcp-credentials trust')
  })

  test('is not trusted because the same content is trusted elsewhere', async () => {
    const store = memoryStore()
    const { load, root, write } = await project({ '.mcp.json': entry({ auth: keyAuth }) })
    await (await load({ store })).trust(join(root, '.mcp.json'))

    await write('other/mcp.json', entry({ auth: keyAuth }))

    const other = await load({ store, path: join(root, 'other/mcp.json') })
    expect(other.servers[0]?.isTrusted).toBe(false)
  })

  test('is reviewed as it was read, and so as it is trusted', async () => {
    const store = memoryStore()
    const { load, write } = await project({ '.mcp.json': entry({ headersHelper: 'safe' }) })
    const config = await load({ store })
    const path = await write('.mcp.json', entry({ headersHelper: 'evil' }))

    const [reviewed] = config.review(path)
    await config.trust(path)

    expect(reviewed?.uses).toContain('runs `safe` for its secrets')
    expect((await load({ store })).server('crm').isTrusted).toBe(false)
  })

  test('is trusted only by what a function answers with true', async () => {
    const { load } = await project({ '.mcp.json': entry({}) })

    const config = await load({ trust: () => 'yes' as never })

    expect(config.servers[0]?.isTrusted).toBe(false)
  })

  test('is not trusted, and says why, when the store cannot be read', async () => {
    const { load } = await project({ '.mcp.json': entry({ auth: keyAuth }) })
    const store = {
      ...memoryStore(),
      get: async () => {
        throw new StoreError('get', 'The keychain is locked.')
      },
    }

    const config = await load({ store })

    expect(config.servers[0]?.isTrusted).toBe(false)
    expect(() => config.credentials('crm')).toThrow(StoreError)
    expect(() => config.credentials('crm')).toThrow('The keychain is locked.')
  })

  test('does not get a variable into its URL before it is trusted', async () => {
    const env = { HOST: 'evil.example.com', SECRET: 'canary-1' }
    const { load } = await project({
      '.mcp.json': {
        mcpServers: {
          host: { url: `https://\${HOST}/mcp` },
          path: { url: `https://evil.example.com/\${SECRET}` },
        },
      },
    })

    const config = await load({ env })

    expect(config.servers.map((server) => server.url)).toEqual([undefined, undefined])
    expect(inspect(config, { depth: 5, showHidden: true })).not.toContain('canary-1')
    expect(() => config.credentials('host')).toThrow('npx mcp-credentials trust')
  })

  test("does not stand before the user's own server at the same URL", async () => {
    const { load } = await project({
      '.mcp.json': { mcpServers: { mine: { url } } },
      '~/.cursor/mcp.json': { mcpServers: { crm: { url, headers: { 'X-Team': 'a' } } } },
    })

    const config = await load()

    expect(config.find(url)).toMatchObject({ name: 'crm', isTrusted: true })
  })

  test("does not take the name of the user's own server", async () => {
    const { load } = await project({
      '.mcp.json': { mcpServers: { crm: { url: 'https://evil.example.com/mcp' } } },
      '~/.cursor/mcp.json': { mcpServers: { crm: { url } } },
    })

    const config = await load()

    expect(config.servers).toHaveLength(1)
    expect(config.server('crm')).toMatchObject({ url: new URL(url), isTrusted: true })
    expect(config.trusted('crm').url?.href).toBe(url)
  })

  test("does not hide the user's own server at its URL by taking its name", async () => {
    const own = { url, headers: { 'X-From': 'own' } }
    const { load } = await project({
      '.mcp.json': { mcpServers: { crm: { url: 'https://crm.example.com/other' } } },
      '~/.cursor/mcp.json': { mcpServers: { crm: own } },
    })

    const config = await load(trusted)
    const found = config.find(url)

    expect(config.server('crm').url?.href).toBe('https://crm.example.com/other')
    expect(found?.url?.href).toBe(url)
    expect(await headersOf(config.credentials(found ?? 'none'))).toEqual({ 'x-from': 'own' })
  })

  test('that others can write is not the user’s own, wherever it lies', async () => {
    const { load, home } = await project({ '~/.cursor/mcp.json': entry({}) })
    const { chmod } = await import('node:fs/promises')
    await chmod(join(home, '.cursor/mcp.json'), 0o666)

    expect((await load()).servers[0]?.isTrusted).toBe(false)
  })

  test.skipIf(process.getuid?.() !== 0)(
    'that a group of others can write is not the user’s own, nor is one that they can replace',
    async () => {
      const { load, home } = await project({ '~/.cursor/mcp.json': entry({}) })
      const { chmod, chown } = await import('node:fs/promises')
      const [folder, path] = [join(home, '.cursor'), join(home, '.cursor/mcp.json')]
      const isTrusted = async () => (await load()).servers[0]?.isTrusted

      await chmod(path, 0o664)
      expect(await isTrusted()).toBe(true)
      await chown(path, 0, 100)
      expect(await isTrusted()).toBe(false)
      await chmod(path, 0o644)
      expect(await isTrusted()).toBe(true)
      await chmod(folder, 0o777)
      expect(await isTrusted()).toBe(false)
    },
  )

  test('in a folder that everybody can write is not the user’s own', async () => {
    const { load, home } = await project({ '~/.cursor/mcp.json': entry({}) })
    const { chmod } = await import('node:fs/promises')
    await chmod(join(home, '.cursor'), 0o777)
    expect((await load()).servers[0]?.isTrusted).toBe(false)
    await chmod(join(home, '.cursor'), 0o1777)
    expect((await load()).servers[0]?.isTrusted).toBe(true)
  })

  test('cannot put an attack into the command to type', async () => {
    const { load, root } = await project()
    const { mkdir } = await import('node:fs/promises')
    const folder = join(root, "x'; touch pwned; '")
    await mkdir(folder)
    await writeFile(join(folder, 'mcp.json'), JSON.stringify(entry({})))

    const config = await load({ cwd: folder })

    const quoted = `'${join(folder, 'mcp.json').replaceAll("'", "'\\''")}'`
    expect(() => config.credentials('crm')).toThrow(`npx mcp-credentials trust ${quoted}`)
  })
})

describe('a credential of a config file', () => {
  test('goes to no other origin than that of the URL of its entry', async () => {
    const { load } = await project({ '.mcp.json': entry({ auth: keyAuth }) })
    const config = await load({ ...trusted, env: { MCP_API_KEY: 'key-1' } })

    const refused = headersOf(config.credentials('crm'), 'https://evil.example.com/mcp')

    await expect(refused).rejects.toThrow(CredentialError)
    await expect(refused).rejects.toMatchObject({ code: 'wrong_origin' })
  })

  test.each([
    ['http://crm.example.com/mcp', 'must start with https://'],
    ['ftp://crm.example.com/mcp', 'must start with https://'],
    ['https://user:password@crm.example.com/mcp', 'must not contain a user name or password'],
    ['crm.example.com', 'its URL is not valid'],
  ])('is refused for %s', async (wrong, message) => {
    const error = await failure({ mcpServers: { crm: { url: wrong } } })

    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(message)
    expect(error.message).not.toContain('password@')
  })

  test('cannot stand in the file as it is', async () => {
    const error = await failure(entry({ auth: { provider: 'apiKey', value: 'canary-2' } }))

    expect(error.message).toMatch(/\.mcp\.json:7:18: Expected a reference/)
    expect(error.message).toContain('env:NAME')
    expect(inspect(error)).not.toContain('canary-2')
  })

  test.each([
    ['the default of a variable', { provider: 'bearer', token: `\${TOKEN:-canary-3}` }],
    ['a text around a variable', { provider: 'bearer', token: `canary-3\${TOKEN}` }],
    ['a header of a set', { provider: 'headers', headers: { 'X-API-Key': 'canary-3' } }],
    [
      'a field of a token endpoint',
      {
        provider: 'tokenEndpoint',
        url: 'https://a.example',
        fields: { client_secret: 'canary-3' },
      },
    ],
    [
      'a provider within another',
      { provider: 'all', providers: [keyAuth, { provider: 'bearer', token: 'canary-3' }] },
    ],
    [
      'a key of the client',
      {
        provider: 'clientCredentials',
        clientId: 'a',
        clientAuth: { method: 'private_key_jwt', key: 'canary-3' },
      },
    ],
  ])('cannot stand in %s', async (_where, auth) => {
    const error = await failure(entry({ auth }))

    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain('Expected a reference')
    expect(inspect(error)).not.toContain('canary-3')
  })
})

describe('a broken file', () => {
  test.each([
    [
      '{ "mcpServers": { "crm": { "url": "https://a.example/mcp" } }',
      '1:62: Expected a closing brace',
    ],
    ['{ "mcpServers": [] }', '1:17: Expected `mcpServers`: an object'],
    ['{ "mcpServers": { "crm": 7 } }', '1:26: Expected an object for the server `crm`'],
    ['{\n  "mcpServers": { "crm": { "url": 7 } }\n}', '2:35: Expected a string for `url`'],
    ['{ "mcpServers": { "crm": {} } }', '1:26: Expected `url` or `command`'],
    ["{ 'mcpServers': {} }", '1:3: Expected'],
    [entry({ auth: { provider: 'apikey', value: 'env:A' } }), 'did you mean `apiKey`?'],
    [entry({ auth: { provider: 'nothingLikeIt' } }), 'There is no provider `nothingLikeIt`'],
    [entry({ auth: { ...keyAuth, heeder: 'X' } }), 'did you mean `header`?'],
    [entry({ auth: { provider: 'apiKey' } }), '`apiKey` requires `value`'],
    [entry({ auth: { ...keyAuth, header: 7 } }), 'Expected a string for `apiKey.header`'],
    [entry({ auth: { value: 'env:A' } }), 'Expected `provider` in `auth`'],
    [entry({ auth: { provider: 'all', providers: [] } }), 'Expected a list of `auth` blocks'],
    [entry({ auth: keyAuth, tenants: {} }), 'either `auth` or `tenants`'],
    [entry({ tenants: { acme: {} } }), 'The tenant `acme` requires `auth`'],
    [
      entry({ environments: { dev: { command: 'x' } } }),
      'An environment cannot override `command`',
    ],
    [
      { mcpServers: { crm: { command: 'x', auth: keyAuth } } },
      '`auth` is only for servers with a URL',
    ],
  ])('%#: says where, and what was expected', async (content, message) => {
    const error = await failure(content)

    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error.message).toContain(message)
    expect(error.message).toMatch(/\.mcp\.json:\d+:\d+: /)
  })

  test('says all that is wrong, but no more than a person can read', async () => {
    const servers = Object.fromEntries(Array.from({ length: 14 }, (_, index) => [`s${index}`, {}]))

    const error = await failure({ mcpServers: servers })

    expect(error.message.match(/Expected `url` or `command`/g)).toHaveLength(10)
    expect(error.message).toContain('And 4 more.')
  })

  test('of another client is a warning, and the rest of it counts', async () => {
    const servers = { bad: 7, good: { url } }
    const { load } = await project({ '~/.cursor/mcp.json': { mcpServers: servers } })

    const config = await load()

    expect(config.servers.map(({ name }) => name)).toEqual(['good'])
    expect(config.warnings).toMatchObject([{ line: 3, column: 12 }])
  })
})

describe('a hostile file', () => {
  test('is refused when it is too large', async () => {
    const { load } = await project({ '.mcp.json': ' '.repeat(1_048_577) })

    await expect(load()).rejects.toThrow('is larger than 1 MB')
  })

  test('does not keep the reader busy with a great many mistakes', async () => {
    const headers = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, index) => [`X-${index}-Token`, `canary-${index}`]),
    )
    const servers = Object.fromEntries(
      Array.from({ length: 5_000 }, (_, index) => [`s${index}`, { url }]),
    )
    const { load } = await project({
      '.mcp.json': { mcpServers: { crm: { url, headers }, ...servers } },
    })
    const start = performance.now()

    const config = await load()

    expect(config.servers).toHaveLength(5_001)
    expect(config.warnings.length).toBeLessThanOrEqual(100)
    // It is a matter of milliseconds, or else of minutes.
    expect(performance.now() - start).toBeLessThan(10_000)
  })

  test('does not keep the reader busy with a URL of slashes', async () => {
    const slashes = `https://crm.example.com/${'/'.repeat(8_000)}x`
    const { load } = await project({
      '.mcp.json': {
        mcpServers: { slashes: { url: slashes }, long: { url: `${slashes}${'/'.repeat(1_000)}` } },
      },
    })
    const config = await load()
    const started = performance.now()

    for (let count = 0; count < 100; count += 1) config.find(`${url}${'/'.repeat(100_000)}x`)

    expect(performance.now() - started).toBeLessThan(2_000)
    expect(config.server('long').problem).toContain('longer than 8192 characters')
  })

  test('is refused when it is nested too deeply', async () => {
    const { load } = await project({ '.mcp.json': '['.repeat(200_000) })

    await expect(load()).rejects.toThrow('Expected at most 64 levels of brackets.')
  })

  test.each([
    ['a server', `{ "mcpServers": { "__proto__": { "url": "${url}" } } }`],
    ['an option', `{ "mcpServers": { "crm": { "url": "${url}", "auth": { "__proto__": {} } } } }`],
    [
      'a header',
      `{ "mcpServers": { "crm": { "url": "${url}", "headers": { "__proto__": "x" } } } }`,
    ],
    [
      'a tenant',
      `{ "mcpServers": { "crm": { "url": "${url}", "tenants": { "__proto__": {} } } } }`,
    ],
  ])('cannot call %s __proto__', async (_what, content) => {
    const error = await failure(content)

    expect(error.message).toContain('Expected a name that is not __proto__')
    expect(({} as { url?: string }).url).toBeUndefined()
  })

  test.each(['\u001b[2J', '\u202e', '\u200b', '\n'])(
    'cannot hide %j in a name',
    async (character) => {
      const name = `a${character}b`
      const { load } = await project({ '.mcp.json': { mcpServers: { [name]: { url } } } })

      const error = await load().catch((thrown: unknown) => thrown)

      expect(error).toBeInstanceOf(ConfigurationError)
      expect((error as Error).message).toContain('no invisible characters')
      expect((error as Error).message).not.toContain(character)
    },
  )

  test('cannot name a member twice', async () => {
    const error = await failure(
      `{ "mcpServers": { "crm": { "url": "${url}", "url": "https://b.example" } } }`,
    )

    expect(error.message).toContain('`url` appears twice')
  })

  test('cannot be a pipe that is waited for', async () => {
    const { load, root } = await project()
    const { execFileSync } = await import('node:child_process')
    execFileSync('mkfifo', [join(root, '.mcp.json')])

    await expect(load()).rejects.toThrow('is not a regular file')
  })

  test('beside a link is not where relative commands are looked for', async () => {
    const { load, root, home } = await project({
      '~/own/mcp.json': entry({ auth: { provider: 'bearer', token: 'file:./token' } }),
      '~/own/token': 'own-token',
      token: 'planted-token',
    })
    const { symlink } = await import('node:fs/promises')
    await symlink(join(home, 'own/mcp.json'), join(root, 'mcp.json'))

    const config = await load(trusted)

    expect(await headersOf(config.credentials('crm'))).toEqual({
      authorization: 'Bearer own-token',
    })
  })

  test('above a folder without a repository is not read', async () => {
    const { load, home, write } = await project({ '~/mcp.json': entry({}) })
    await write('~/elsewhere/readme', '')

    const config = await load({ cwd: join(home, 'elsewhere') })

    expect(config.files).toEqual([])
  })
})
