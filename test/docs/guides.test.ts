import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import * as client from '@modelcontextprotocol/client'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import * as config from '../../src/config/index.ts'
import * as core from '../../src/index.ts'
import * as oauth from '../../src/oauth/index.ts'
import * as file from '../../src/stores/file.ts'
import { memoryStore, testMcpServer, testServers } from '../../src/testing/index.ts'
import { runSnippet, snippetOf } from '../support/run-snippet.ts'

const guide = (name: string) => `docs/guides/${name}.md`
const ping = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }

/** The core, whose transport options are kept for the test, and closed after it. */
function recordedCore() {
  const made: core.CredentialTransportOptions[] = []
  const withCredentials = (...args: Parameters<typeof core.withCredentials>) => {
    const options = core.withCredentials(...args)
    made.push(options)
    onTestFinished(() => options.close())
    return options
  }
  return { made, module: { ...core, withCredentials } }
}

/** Test servers, a store in memory, a user who agrees, and the modules that use them. */
async function world() {
  const { resource, authorizationServer, mcp, close } = await testServers()
  onTestFinished(close)
  const store = memoryStore()
  const { visit } = authorizationServer
  const authorizationCode = (options: oauth.AuthorizationCodeOptions = {}) =>
    oauth.authorizationCode({ onAuthorizationUrl: visit, ...options })
  const { made, module } = recordedCore()
  const modules = {
    '@modelcontextprotocol/client': client,
    'mcp-credentials': module,
    'mcp-credentials/auto': { defaultStore: () => store },
    'mcp-credentials/oauth': { ...oauth, authorizationCode },
  }
  const here = (code: string) =>
    code
      .replaceAll('https://mcp.example.com/mcp', resource.href)
      .replaceAll('https://login.example.com', authorizationServer.issuer)
  const login = async () => {
    const options = core.withCredentials(authorizationCode(), { resource, store })
    await options.login()
    await options.close()
  }
  return { resource, authorizationServer, mcp, store, modules, made, here, login }
}

function printed(): string[] {
  const lines: string[] = []
  const log = vi.spyOn(console, 'error').mockImplementation((...line) => lines.push(line.join(' ')))
  onTestFinished(() => log.mockRestore())
  return lines
}

describe('the guide to the first login', () => {
  it('logs a user in before it connects', async () => {
    const { modules, here, authorizationServer, store } = await world()

    await runSnippet(snippetOf(guide('first-login'), 'await client.connect('), modules, {}, here)

    const grants = authorizationServer.tokenRequests().map((request) => request['grant_type'])
    expect(grants).toEqual(['authorization_code'])
    expect(await store.list()).toHaveLength(2)
  })

  it('asks a user when a call needs a login, and goes on with it', async () => {
    const { modules, here, made, resource } = await world()
    const statuses: number[] = []
    const callTool = async () => {
      statuses.push((await (made[0] as (typeof made)[number]).fetch(resource, ping)).status)
    }
    const snippet = snippetOf(guide('first-login'), 'await login.login()')

    await runSnippet(snippet, modules, { callTool }, here)

    expect(statuses).toEqual([200])
  })

  it('logs a user out, and has nothing to complain about', async () => {
    const { modules, here, store, login } = await world()
    await login()
    const lines = printed()

    await runSnippet(snippetOf(guide('first-login'), 'await options.logout()'), modules, {}, here)

    expect(lines).toEqual([])
    const records = await Promise.all((await store.list()).map((key) => store.get(key)))
    expect(JSON.stringify(records)).not.toContain('refresh')
  })
})

describe('the guide to renewal', () => {
  it('gets a new token on request', async () => {
    const { modules, here, authorizationServer } = await world()
    vi.stubEnv('CLIENT_SECRET', 'secret')
    onTestFinished(() => void vi.unstubAllEnvs())

    await runSnippet(snippetOf(guide('renewal'), 'manager.renew()'), modules, {}, here)

    const [request] = authorizationServer.tokenRequests()
    expect(request).toMatchObject({ grant_type: 'client_credentials' })
  })
})

describe('the guide to refusals', () => {
  it('catches a refusal as an error of ours', async () => {
    const mcp = await testMcpServer({ apiKey: 'right' })
    onTestFinished(() => mcp.close())
    vi.stubEnv('MCP_API_KEY', 'wrong')
    onTestFinished(() => void vi.unstubAllEnvs())
    const { made, module } = recordedCore()
    const callTool = () => (made[0] as (typeof made)[number]).fetch(mcp.url, ping)
    const lines = printed()

    const snippet = snippetOf(guide('refusals'), 'throwOnRefusal: true')
    await runSnippet(snippet, { 'mcp-credentials': module }, { callTool })

    expect(lines).toHaveLength(1)
    expect(lines[0]).toContain("refused the credential of apiKey from env('MCP_API_KEY') with 401")
  })
})

describe('the guide to tenants', () => {
  const accept = (headers: Headers) => headers.get('X-API-Key') === 'key of acme'

  it('sends the key of the tenant whose request it is', async () => {
    const mcp = await testMcpServer({ accept })
    onTestFinished(() => mcp.close())
    const { module } = recordedCore()
    const modules = {
      'node:async_hooks': await import('node:async_hooks'),
      '@modelcontextprotocol/client': client,
      'mcp-credentials': {
        ...module,
        file: (path: string) => () => `key of ${path.replace('/run/secrets/tenants/', '')}`,
      },
    }

    const here = (code: string) => code.replace('https://mcp.example.com/mcp', mcp.url.href)
    await runSnippet(snippetOf(guide('tenants'), 'clientFor('), modules, {}, here)

    expect(mcp.requests.filter(({ status }) => status === 401)).toEqual([])
    expect(mcp.requests.some(({ body }) => body.includes('tools/list'))).toBe(true)
  })

  it('takes the keys from the config file that it shows', async () => {
    const mcp = await testMcpServer({ accept })
    const folder = await mkdtemp(join(tmpdir(), 'guides-'))
    onTestFinished(async () => {
      await mcp.close()
      await rm(folder, { recursive: true })
    })
    const page = await readFile(new URL(`../../${guide('tenants')}`, import.meta.url), 'utf8')
    const [, text = ''] = /^```json\n([\s\S]*?)^```/m.exec(page) ?? []
    const path = join(folder, 'mcp.json')
    await writeFile(path, text.replace('https://crm.example.com/mcp', mcp.url.href))
    const options = { path, env: { ACME_KEY: 'key of acme' }, trust: () => true }
    const modules = {
      '@modelcontextprotocol/client': client,
      'mcp-credentials/config': { ...config, loadConfig: () => config.loadConfig(options) },
    }

    await runSnippet(snippetOf(guide('tenants'), 'loadConfig()'), modules)

    expect(mcp.requests.filter(({ status }) => status === 401)).toEqual([])
    expect(mcp.requests.some(({ body }) => body.includes('tools/list'))).toBe(true)
  })
})

describe('the guide to stores', () => {
  it('encrypts again what an old key has encrypted', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'guides-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const [old, present] = [file.generateKey(), file.generateKey()]
    vi.stubEnv('OLD_KEY', old)
    vi.stubEnv('NEW_KEY', present)
    onTestFinished(() => void vi.unstubAllEnvs())
    const record = { version: 1, provider: 'test', data: { token: 'abc' } } as const
    await file.encryptedFileStore({ key: old, directory: folder }).set('a', record)
    const encryptedFileStore = (options: file.EncryptedFileStoreOptions) =>
      file.encryptedFileStore({ ...options, directory: folder })
    const lines = printed()

    await runSnippet(snippetOf(guide('stores'), 'rekey()'), {
      'mcp-credentials': core,
      'mcp-credentials/file': { ...file, encryptedFileStore },
    })

    expect(lines).toEqual(['encrypted again: 1'])
    const store = file.encryptedFileStore({ key: present, directory: folder })
    expect(await store.get('a')).toEqual(record)
  })
})
