/** A client without credentials of the server, in front of a bridge: what it says stays here, and it learns nothing. */
import { request } from 'node:http'
import { type BridgeOptions, bridge } from '../../src/bridge/index.ts'
import type { CredentialProvider } from '../../src/index.ts'
import type { ClientDoor, World } from './types.ts'
import { violate } from './types.ts'

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly text: string
}

/** The ways in which a page or a program that was not given the URL tries to use a bridge. */
type Intrusion = 'path' | 'origin' | 'host'
const intrusions: readonly Intrusion[] = ['path', 'origin', 'host']

/** Opens a bridge, and uses it as a client does that knows nothing but its URL. */
export function localClient(
  world: World,
  provider: CredentialProvider,
  options: BridgeOptions,
): ClientDoor {
  const { recorder, canaries } = world
  const onLog = (line: string) => recorder.published('a line of a bridge', line)
  const opening = bridge(provider, { ...options, onLog })
  opening.then(
    ({ url }) => canaries.learn('bridge path', url.pathname.split('/')[1] ?? '', []),
    () => {},
  )
  // Whatever else it was told to send is for this machine.
  const own = {
    authorization: `Bearer ${canaries.mint('local secret', [])}`,
    cookie: `session=${canaries.mint('local secret', [])}`,
    'x-api-key': canaries.mint('local secret', []),
  }
  let session: string | undefined
  let sent = 0
  const post = async (message: object, signal: AbortSignal | undefined) => {
    const { url } = await opening
    const headers = { ...own, ...(session === undefined ? {} : { 'mcp-session-id': session }) }
    const answer = await exchange(url, { headers, body: JSON.stringify(message), signal })
    const lines = Object.entries(answer.headers).map(([name, value]) => `${name}: ${value}`)
    recorder.received('local client', [...lines, '', answer.text].join('\n'), 'the local client')
    return answer
  }
  const send = async (signal: AbortSignal | undefined) => {
    sent += 1
    if (sent === 2) {
      const begun = await post(initialize, signal)
      session = begun.headers['mcp-session-id']
      if (session !== undefined) {
        await post({ jsonrpc: '2.0', method: 'notifications/initialized' }, signal)
      }
    }
    const { status, text } = await post({ jsonrpc: '2.0', id: 1, method: 'ping' }, signal)
    if (status === 404) session = undefined
    return new Response(text, { status })
  }
  const intrude = async (signal: AbortSignal | undefined) => {
    const { url } = await opening
    const how = intrusions[sent % intrusions.length] ?? 'path'
    const answer = await exchange(how === 'path' ? new URL('/mcp', url) : url, {
      headers: how === 'path' ? {} : { [how]: 'https://hostile.localhost' },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' }),
      signal,
    })
    if (answer.status < 400) violate(world, `a bridge answers a stranger (${how})`)
    return new Response(answer.text, { status: answer.status })
  }
  const door = (input: string | URL, init: RequestInit = {}) =>
    String(input) === String(options.resource)
      ? send(init.signal ?? undefined)
      : intrude(init.signal ?? undefined)
  return Object.assign(door, {
    login: ({ signal }: { readonly signal?: AbortSignal }) => send(signal),
    logout: async () => {},
    close: async () => (await opening).close(),
    manager: { renew: ({ signal }: { readonly signal?: AbortSignal }) => send(signal) },
  })
}

const initialize = {
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: { url: {} } },
    clientInfo: { name: 'local', version: '1.0.0' },
  },
}

interface Sending {
  readonly headers: Record<string, string>
  readonly body: string
  readonly signal: AbortSignal | undefined
}

function exchange(url: URL, { headers, body, signal }: Sending): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      method: 'POST',
      agent: false,
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      ...(signal === undefined ? {} : { signal }),
    })
    outgoing.once('error', reject)
    outgoing.once('response', (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('close', () => {
        const pairs = Object.entries(response.headers).map(([name, value]) => [name, String(value)])
        resolve({
          status: response.statusCode ?? 0,
          headers: Object.fromEntries(pairs),
          text: Buffer.concat(chunks).toString(),
        })
      })
    })
    outgoing.end(body)
  })
}
