import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { memoryStore } from '../../src/stores/memory.ts'
import { headersOf, project, trusted } from './project.ts'

const url = 'https://crm.example.com/mcp'
const auth = { provider: 'apiKey', value: 'env:KEY' }
const servers = (entry: object) => ({ mcpServers: { crm: { url, auth, ...entry } } })

describe('the text of a config file', () => {
  test.each([
    ['a byte order mark', (text: string) => `\ufeff${text}`],
    ['line ends of Windows', (text: string) => text.replaceAll('\n', '\r\n')],
  ])('may have %s, and places are counted all the same', async (_what, change) => {
    const good = JSON.stringify(servers({}), undefined, 2)
    const { load, write, root } = await project({ '.mcp.json': change(good) })
    const config = await load(trusted)
    expect(config.server('crm').line).toBe(3)
    await write('.mcp.json', change(good.replace('"apiKey"', '"apikey"')))
    await expect(load()).rejects.toThrow(`${root}/.mcp.json:6:21: `)
  })

  test('is refused where a name stands twice, since programs differ in which of the two counts', async () => {
    const twice = `{ "mcpServers": { "crm": { "url": "${url}" }, "crm": { "url": "https://evil.example/" } } }`
    const { load } = await project({ '.mcp.json': twice })
    await expect(load()).rejects.toThrow(/\.mcp\.json:1:\d+: .*`crm`/)
  })

  test('cannot change what objects inherit', async () => {
    const hostile = `{ "__proto__": { "polluted": 1 }, "mcpServers": {
      "__proto__": { "url": "${url}", "auth": { "provider": "apiKey", "value": "env:KEY" } },
      "constructor": { "url": "${url}/2", "headers": { "__proto__": "x" }, "env": { "__proto__": "x" } } } }`
    const { load } = await project({ '.mcp.json': hostile })
    const config = await load(trusted).catch((error: unknown) => error)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
    expect(config).not.toBeInstanceOf(TypeError)
  })

  test('is refused where it is larger than a megabyte', async () => {
    const { load, write } = await project()
    await write('.mcp.json', `${' '.repeat(1_048_577)}{}`)
    await expect(load()).rejects.toThrow('larger than 1 MB')
  })
})

describe('a link in place of a config file', () => {
  test('is trusted by where it leads and what is there, not by its name', async () => {
    const { load, root } = await project({ 'a/mcp.json': servers({}), 'b/mcp.json': servers({}) })
    const store = memoryStore()
    await mkdir(join(root, 'c'))
    await symlink(join(root, 'a/mcp.json'), join(root, 'c/mcp.json'))
    const linked = await load({ store, path: join(root, 'c/mcp.json') })
    await linked.trust(join(root, 'c/mcp.json'))
    const direct = await load({ store, path: join(root, 'a/mcp.json') })
    expect(direct.files[0]?.isTrusted).toBe(true)
    const other = await load({ store, path: join(root, 'b/mcp.json') })
    expect(other.files[0]?.isTrusted).toBe(false)
  })

  test('that leads to a device is refused', async () => {
    const { load, root } = await project()
    await symlink('/dev/zero', join(root, '.mcp.json'))
    await expect(load()).rejects.toThrow('is not a regular file')
  })

  test('that leads in a circle is refused with a sentence', async () => {
    const { load, root } = await project()
    await symlink(join(root, '.mcp.json'), join(root, '.mcp.json'))
    await expect(load()).rejects.toMatchObject({ code: 'configuration' })
  })
})

describe('the URL of an entry', () => {
  test.each([
    ['in capitals', 'HTTPS://CRM.Example.COM/mcp'],
    ['with the port that is meant anyhow', 'https://crm.example.com:443/mcp'],
    ['with a path that goes up again', 'https://crm.example.com/x/../mcp'],
  ])('%s is the same server', async (_what, written) => {
    const { load } = await project({ '.mcp.json': servers({ url: written }) })
    expect((await load(trusted)).find(url)?.name).toBe('crm')
  })

  test.each([
    ['another port', 'https://crm.example.com:8443/mcp'],
    ['a dot at the end of the host', 'https://crm.example.com./mcp'],
    ['another case of the path', 'https://crm.example.com/MCP'],
    ['a slash that is encoded', 'https://crm.example.com/%2fmcp'],
    ['a host that looks the same', 'https://сrm.example.com/mcp'],
    ['a host within it', 'https://crm.example.com.evil.example/mcp'],
    ['plain http', 'http://crm.example.com/mcp'],
  ])('with %s is another server', async (_what, resource) => {
    const { load } = await project({ '.mcp.json': servers({}) })
    const config = await load({ ...trusted, env: { KEY: 'canary' } })
    expect(config.find(resource)).toBeUndefined()
    if (new URL(resource).origin === new URL(url).origin) return
    await expect(headersOf(config.credentials('crm'), resource)).rejects.toMatchObject({
      code: 'wrong_origin',
    })
  })

  test('shows a host in other letters as what it is', async () => {
    const { load } = await project({ '.mcp.json': servers({ url: 'https://сrm.example.com/mcp' }) })
    expect((await load(trusted)).server('crm').label).toBe('https://xn--rm-nmc.example.com/mcp')
  })

  test('with a password is refused, and the password not shown', async () => {
    const written = 'https://ada:canary@crm.example.com/mcp'
    const { load, root } = await project()
    await writeFile(join(root, '.mcp.json'), JSON.stringify(servers({ url: written })))
    const config = await load(trusted)
    expect(() => config.credentials('crm')).toThrow('must not contain a user name or password')
    expect(JSON.stringify([config.servers, config.warnings])).not.toContain('canary')
  })
})

test.each([0, -1, 1.5, 65_536, '80', null])('refuses %j as the port of a login', async (port) => {
  const { load } = await project({
    '.mcp.json': servers({ auth: undefined, oauth: { callbackPort: port } }),
  })
  await expect(load()).rejects.toThrow('Expected a port from 1 to 65535 for `callbackPort`.')
})

test('takes scopes of a login as a list and as a text', async () => {
  for (const scopes of ['a b', ['a', 'b']]) {
    const { load } = await project({ '.mcp.json': servers({ auth: undefined, oauth: { scopes } }) })
    expect((await load()).server('crm').oauth).toEqual({ scope: 'a b' })
  }
})
