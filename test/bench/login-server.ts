import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** An MCP server and its authorization server, as hostile as real ones can be. */
export interface LoginServer {
  readonly origin: string
  readonly url: URL
  /** How many token requests there were since the last {@link LoginServer.expire}. */
  tokenRequests(): number
  /** Whether a refresh token was used twice, which ends the login. */
  isDead(): boolean
  /** From now on the present token is refused. */
  expire(): void
  /** From now on every token is refused, and the event stream is cut. */
  rejectAll(): void
  /** The present tokens, as the client got them. */
  tokens(): {
    readonly access_token: string
    readonly refresh_token: string
    readonly token_type: string
  }
  /** Ends every connection, and refuses new ones. */
  goAway(): Promise<void>
  /** Listens again at the same address. */
  comeBack(): Promise<void>
  close(): Promise<void>
}

/** Starts it; every refresh token is good for one use, and a second one ends the login. */
export async function startLoginServer(): Promise<LoginServer> {
  let current = 1
  let needed = 1
  let requests = 0
  let dead = false
  let rejecting = false
  const streams = new Set<ServerResponse>()
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const json = (status: number, value: object, headers = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(value))
    const { url = '', method, headers } = request
    if (url === '/.well-known/oauth-protected-resource/mcp') {
      return void json(200, { resource: `${origin}/mcp`, authorization_servers: [origin] })
    }
    if (url === '/.well-known/oauth-authorization-server') {
      return void json(200, {
        issuer: origin,
        token_endpoint: `${origin}/token`,
        authorization_endpoint: `${origin}/authorize`,
        registration_endpoint: `${origin}/register`,
        response_types_supported: ['code'],
        grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['none', 'client_secret_basic'],
      })
    }
    if (url === '/register') {
      return void json(201, { ...JSON.parse(body), client_id: 'bench' })
    }
    if (url === '/token') {
      requests += 1
      const form = new URLSearchParams(body)
      if (form.get('grant_type') === 'refresh_token') {
        if (form.get('refresh_token') !== `refresh-${current}`) dead = true
        if (dead) return void json(400, { error: 'invalid_grant' })
      }
      current += 1
      const granted = { ...tokens(), expires_in: 3600 }
      await new Promise((resolve) => setTimeout(resolve, 20))
      return void json(200, granted)
    }
    if (url !== '/mcp') return void json(404, {})
    const number = Number(/^Bearer access-(\d+)$/.exec(headers.authorization ?? '')?.[1] ?? 0)
    if (rejecting || dead || number < needed) {
      return void json(401, {}, { 'www-authenticate': 'Bearer error="invalid_token"' })
    }
    if (method === 'GET') {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      streams.add(response)
      response.on('close', () => streams.delete(response))
      return
    }
    if (method === 'DELETE') return void response.writeHead(200).end()
    const message = JSON.parse(body) as {
      id?: number
      method: string
      params?: { protocolVersion?: string }
    }
    if (message.id === undefined) return void response.writeHead(202).end()
    const result =
      message.method === 'initialize'
        ? {
            protocolVersion: message.params?.protocolVersion,
            capabilities: { tools: {} },
            serverInfo: { name: 'bench', version: '1.0.0' },
          }
        : { tools: [] }
    json(200, { jsonrpc: '2.0', id: message.id, result })
  })
  server.keepAliveTimeout = 60_000
  const listen = (port: number) =>
    new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
  await listen(0)
  const { port } = server.address() as AddressInfo
  const origin = `http://127.0.0.1:${port}`
  const tokens = () => ({
    access_token: `access-${current}`,
    refresh_token: `refresh-${current}`,
    token_type: 'Bearer',
  })
  return {
    origin,
    url: new URL(`${origin}/mcp`),
    tokenRequests: () => requests,
    isDead: () => dead,
    expire() {
      needed = current + 1
      requests = 0
    },
    rejectAll() {
      rejecting = true
      requests = 0
      for (const stream of streams) stream.destroy()
    },
    tokens,
    goAway: close,
    comeBack: () => listen(port),
    close,
  }
}
