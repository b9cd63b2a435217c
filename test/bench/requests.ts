import { fork } from 'node:child_process'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { all, apiKey, bearer, headers, withCredentials } from 'mcp-credentials'
import { figureTable, type Table } from './report.ts'
import { type Candidate, measure } from './rounds.ts'

const url = new URL('http://127.0.0.1:1/mcp')
const body = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}'
const token = 't'.repeat(300)

/** What the library adds to one request, without a network. */
export async function benchStubbed(): Promise<Table[]> {
  const stub = async () => new Response(null, { status: 200 })
  const given = () =>
    new Headers({
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    })
  const plain = async () => {
    const headers = given()
    headers.set('authorization', `Bearer ${token}`)
    return stub()
  }
  const both = all(bearer(token), headers({ 'X-Tenant': 'acme' }))
  const init = () => ({ method: 'POST', headers: given(), body, redirect: 'manual' as const })
  const candidate = (name: string, fetch: typeof globalThis.fetch): Candidate => ({
    name,
    async run(times) {
      for (let index = 0; index < times; index += 1) await fetch(url, init())
    },
  })
  const figures = await measure(
    [
      {
        name: 'hand-set header',
        async run(times) {
          for (let index = 0; index < times; index += 1) await plain()
        },
      },
      candidate('bearer()', withCredentials(bearer(token), { fetch: stub }).fetch),
      candidate('apiKey()', withCredentials(apiKey({ value: token }), { fetch: stub }).fetch),
      candidate('bearer() and headers(), by all()', withCredentials(both, { fetch: stub }).fetch),
    ],
    61,
    5000,
    1000,
  )
  const title = 'One request, without a network'
  const alt =
    'The time that it takes to make one request whose network answers at once, with a header that is set by hand and with the credentials of this library.'
  return [figureTable({ id: 'request', title, unit: 'µs', alt }, figures)]
}

/** What the library adds to one call of a tool over loopback. */
export async function benchLoopback(): Promise<Table[]> {
  const server = await startServer()
  const calls = await Promise.all([
    connected('hand-set header', server.url, {
      requestInit: { headers: { Authorization: `Bearer ${token}` } },
    }),
    connected('bearer()', server.url, withCredentials(bearer(token))),
    connected("the SDK's own authProvider", server.url, { authProvider: sdkProvider() }),
  ])
  const figures = await measure(calls, 31, 100, 1000)
  for (const call of calls) await call.close()
  server.stop()
  const title = 'One tools/call over loopback, SDK 1.x'
  const alt =
    "The time of one call of a tool through SDK 1.x over loopback, with a header that is set by hand, with this library, and with the SDK's own authProvider."
  return [figureTable({ id: 'tool-call', title, unit: 'µs', alt }, figures)]
}

async function connected(name: string, target: string, options: object) {
  const client = new Client({ name: 'bench', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(new URL(target), options))
  return {
    name,
    close: () => client.close(),
    async run(times: number) {
      for (let index = 0; index < times; index += 1) {
        await client.callTool({ name: 'echo', arguments: { text: 'x' } })
      }
    },
  }
}

function sdkProvider() {
  return {
    redirectUrl: undefined,
    clientMetadata: { redirect_uris: [] },
    clientInformation: () => ({ client_id: 'bench' }),
    tokens: () => ({ access_token: token, token_type: 'Bearer' }),
    saveTokens() {},
    redirectToAuthorization() {},
    saveCodeVerifier() {},
    codeVerifier: () => '',
  }
}

/** The server runs in a process of its own, so that its work is not measured as the client's. */
async function startServer(): Promise<{ url: string; stop(): void }> {
  const child = fork(new URL('server.ts', import.meta.url), {
    env: { ...process.env, TOKEN: token },
  })
  const target = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(String(message)))
    child.once('exit', (code) => reject(new Error(`The server ended with status ${code}.`)))
  })
  child.removeAllListeners('exit')
  return { url: target, stop: () => child.disconnect() }
}
