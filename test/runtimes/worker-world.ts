import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'

/** An MCP server and its issuer of one scenario, as the test wants them. */
export interface Behaviour {
  /** How many tokens were asked for. */
  asked: number
  /** Milliseconds that the issuer takes; `Infinity`: it never answers. */
  issuerDelay: number
  /** The issuer's HTTP status. */
  issuerStatus: number
  /** Milliseconds that the MCP server takes. */
  serverDelay: number
  /** Tokens that the MCP server refuses. */
  readonly refused: Set<string>
  /** Has the issuer keep its answers back until the function that it returns is called. */
  holdIssuer(): () => void
}

/** The servers that a Worker calls. */
export interface WorkerWorld {
  readonly origin: string
  /** The servers of one scenario. */
  behaviour(scenario: string): Behaviour
  close(): Promise<void>
}

interface GatedBehaviour extends Behaviour {
  /** What the issuer waits for before it answers. */
  gate: Promise<void>
}

function openBehaviour(): GatedBehaviour {
  const behaviour: GatedBehaviour = {
    asked: 0,
    issuerDelay: 0,
    issuerStatus: 200,
    serverDelay: 0,
    refused: new Set<string>(),
    gate: Promise.resolve(),
    holdIssuer() {
      let release = () => {}
      behaviour.gate = new Promise((resolve) => {
        release = resolve
      })
      return release
    },
  }
  return behaviour
}

/** Starts what the Worker calls: for each scenario an issuer and an MCP server, on one origin. */
export async function startWorld(): Promise<WorkerWorld> {
  const behaviours = new Map<string, GatedBehaviour>()
  const behaviour = (scenario: string): GatedBehaviour => {
    const known = behaviours.get(scenario)
    if (known !== undefined) return known
    const fresh = openBehaviour()
    behaviours.set(scenario, fresh)
    return fresh
  }
  const server = createServer(async (request, response) => {
    request.resume()
    const issuer = `http://${request.headers.host}`
    const [, scenario = '', endpoint] = (request.url ?? '').split('/')
    if (scenario === '.well-known' || scenario === 'token') {
      response.setHeader('Content-Type', 'application/json')
      return void response.end(oauthAnswer(endpoint ?? 'token', issuer, behaviour('oauth')))
    }
    const now = behaviour(scenario)
    if (endpoint !== 'mcp') {
      if (endpoint === 'token') now.asked += 1
      const token = `token-${now.asked}`
      if (now.issuerDelay === Number.POSITIVE_INFINITY) return
      await Promise.all([delay(now.issuerDelay), now.gate])
      response.statusCode = now.issuerStatus
      return void response.end(token)
    }
    const token = request.headers.authorization?.replace('Bearer ', '')
    await delay(now.serverDelay)
    response.statusCode = token === undefined || now.refused.has(token) ? 401 : 200
    response.end(token)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const close = async () => {
    server.closeAllConnections()
    server.close()
    await once(server, 'close')
  }
  return { behaviour, origin: `http://127.0.0.1:${port}`, close }
}

/** What the authorization server of the scenario `oauth` answers. */
function oauthAnswer(endpoint: string, issuer: string, oauth: Behaviour): string {
  if (endpoint === 'token') {
    oauth.asked += 1
    const access_token = `token-${oauth.asked}`
    return JSON.stringify({ access_token, token_type: 'Bearer', expires_in: 3600 })
  }
  if (endpoint.endsWith('protected-resource')) {
    return JSON.stringify({ resource: `${issuer}/oauth/mcp`, authorization_servers: [issuer] })
  }
  return JSON.stringify({
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    response_types_supported: ['code'],
    code_challenge_methods_supported: ['S256'],
  })
}
