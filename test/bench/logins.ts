import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { createMCPClient } from '@ai-sdk/mcp'
import {
  Client as ClientV2,
  ClientCredentialsProvider as CredentialsV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client'
import { ClientCredentialsProvider as CredentialsV1 } from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { type CredentialStore, withCredentials } from 'mcp-credentials'
import { clientCredentials, savedLogin } from 'mcp-credentials/oauth'
import { memoryStore } from 'mcp-credentials/testing'
import { type LoginServer, startLoginServer } from './login-server.ts'
import { benchProcesses } from './processes.ts'
import type { Row, Table } from './report.ts'
import { effort } from './rounds.ts'
import { storeLogin } from './stored-login.ts'

/** A connected client; each call lists the tools. */
interface Connected {
  call(): Promise<unknown>
  close(): Promise<unknown>
}

/** What several clients of one program share: the tokens, or our store. */
interface Shared {
  tokens: object
  readonly store: CredentialStore
}

interface Peer {
  readonly name: string
  /** With the refresh token of a login. */
  login(server: LoginServer, shared: Shared): Promise<Connected>
  /** With a client's own secret, where it has a provider for that. */
  machine?(server: LoginServer): Promise<Connected>
}

const info = { name: 'bench', version: '1.0.0' }
const secret = { clientId: 'bench', clientSecret: 'secret' }

async function v1(server: LoginServer, options: object): Promise<Connected> {
  const client = new ClientV1(info)
  await client.connect(new TransportV1(server.url, options))
  return { call: () => client.listTools(), close: () => client.close() }
}

async function v2(server: LoginServer, options: object): Promise<Connected> {
  const client = new ClientV2(info)
  await client.connect(new TransportV2(server.url, options))
  return { call: () => client.listTools(), close: () => client.close() }
}

/** The store of the SDKs' own provider, which several clients may share. */
function provider(shared: Shared): never {
  return {
    redirectUrl: 'http://127.0.0.1/callback',
    clientMetadata: { redirect_uris: ['http://127.0.0.1/callback'] },
    clientInformation: () => ({ client_id: 'bench' }),
    tokens: () => shared.tokens,
    saveTokens(next: object) {
      shared.tokens = next
    },
    redirectToAuthorization() {},
    saveCodeVerifier() {},
    codeVerifier: () => '',
  } as never
}

const peers: readonly Peer[] = [
  {
    name: `SDK 1.x ${version('@modelcontextprotocol/sdk')}`,
    login: (server, shared) => v1(server, { authProvider: provider(shared) }),
    machine: (server) => v1(server, { authProvider: new CredentialsV1(secret) }),
  },
  {
    name: `SDK 2.x ${version('@modelcontextprotocol/client')}`,
    login: (server, shared) => v2(server, { authProvider: provider(shared) }),
    machine: (server) => v2(server, { authProvider: new CredentialsV2(secret) }),
  },
  {
    name: `@ai-sdk/mcp ${version('@ai-sdk/mcp')}`,
    async login(server, shared) {
      const transport = {
        type: 'http',
        url: server.url.href,
        authProvider: provider(shared),
      } as const
      const client = await createMCPClient({ transport })
      return { call: () => client.tools(), close: () => client.close() }
    },
  },
  {
    name: 'mcp-credentials',
    login: (server, { store }) => v1(server, withCredentials(savedLogin(), { store })),
    machine: (server) =>
      v1(server, withCredentials(clientCredentials({ ...secret, issuer: server.origin }))),
  },
]

/** Puts the server's present tokens where each client looks for them. */
async function share(server: LoginServer): Promise<Shared> {
  const store = memoryStore()
  await storeLogin(store, server)
  // To whom the tokens belong, in the members by which each client remembers it.
  const binding = {
    issuer: server.origin,
    authorization_server: new URL(server.origin).href,
    token_endpoint: `${server.origin}/token`,
  }
  return { tokens: { ...server.tokens(), ...binding }, store }
}

async function succeeded(calls: readonly Promise<unknown>[]): Promise<number> {
  const outcomes = await Promise.allSettled(calls)
  return outcomes.filter(({ status }) => status === 'fulfilled').length
}

const rows: readonly {
  readonly name: string
  run(peer: Peer, server: LoginServer): Promise<string>
}[] = [
  {
    name: '20 parallel calls at expiry, client credentials: token requests',
    async run(peer, server) {
      if (peer.machine === undefined) return '–'
      const client = await peer.machine(server)
      server.expire()
      const count = await succeeded(Array.from({ length: 20 }, () => client.call()))
      await client.close()
      return `${server.tokenRequests()} (${count} of 20 calls succeed)`
    },
  },
  {
    name: 'the same with a rotating refresh token: calls that succeed',
    async run(peer, server) {
      const client = await peer.login(server, await share(server))
      server.expire()
      const count = await succeeded(Array.from({ length: 20 }, () => client.call()))
      await client.close().catch(() => {})
      return `${count} of 20, ${server.tokenRequests()} token requests${server.isDead() ? ', login lost' : ''}`
    },
  },
  {
    name: 'two clients on one store, 5 calls each: calls that succeed',
    async run(peer, server) {
      const shared = await share(server)
      const clients = [await peer.login(server, shared), await peer.login(server, shared)]
      server.expire()
      const calls = clients.flatMap((client) => Array.from({ length: 5 }, () => client.call()))
      const count = await succeeded(calls)
      for (const client of clients) await client.close().catch(() => {})
      return `${count} of 10${server.isDead() ? ', login lost' : ''}`
    },
  },
  {
    name: 'the server rejects every token and cuts the event stream, 4 s: token requests',
    async run(peer, server) {
      const client = await peer.login(server, await share(server))
      await pause(300)
      server.rejectAll()
      await client.call().catch(() => {})
      await pause(4000)
      const count = server.tokenRequests()
      await client.close().catch(() => {})
      return String(count)
    },
  },
]

function version(name: string): string {
  const manifest = new URL(`../../node_modules/${name}/package.json`, import.meta.url)
  return (JSON.parse(readFileSync(manifest, 'utf8')) as { version: string }).version
}

/** How a login fares with each client, live against one server whose refresh tokens are good for one use. */
export async function benchLogins(): Promise<Table[]> {
  // The clients report each lost login, thousands of times.
  console.warn = () => {}
  console.error = () => {}
  process.on('unhandledRejection', () => {})
  const outcomes: Row[] = []
  for (const row of rows) {
    const cells: string[] = []
    for (const peer of peers) {
      const server = await startLoginServer()
      cells.push(await row.run(peer, server).catch(() => 'fails'))
      await server.close()
    }
    outcomes.push([row.name, ...cells])
  }
  const columns = peers.map(({ name }) => name)
  const title = 'How a login fares with each client'
  return [{ id: 'logins', title, columns, rows: outcomes }, await processesTable(effort(6, 1))]
}

async function processesTable(runs: number): Promise<Table> {
  const [theirs = '', own = ''] = await benchProcesses(runs)
  const title = `Six processes that share one login on disk, whose token has expired; ${runs} runs`
  const rows: Row[] = [
    [`mcp-remote ${version('mcp-remote')}`, theirs],
    ['mcp-credentials', own],
  ]
  return { id: 'logins-processes', title, columns: ['outcome'], rows }
}
