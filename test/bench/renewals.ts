import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Grant, type Peer, peers, type Surroundings } from './peers.ts'
import { isOwn, type Row, type Table } from './report.ts'

/** What the issuer, as the judge, saw. */
interface Verdict {
  readonly renewals: number
  readonly succeeded: number
  readonly revoked: boolean
}

const answerMs = 20

const conditions = 'refresh tokens are good for one use, and reuse ends the login'

/** How often the issuer is asked when many callers need a new token at once. */
export async function benchRenewals(): Promise<Table[]> {
  // The SDKs report each lost login there, thousands of times.
  console.warn = () => {}
  const expired = `1000 callers at once, the token has expired; ${conditions}`
  const refused = `200 requests in flight, rejected one after another within 300 ms; ${conditions}`
  return [
    await table('storm-expired', expired, 1000, true),
    await table('storm-rejected', refused, 200, false),
  ]
}

async function table(id: string, title: string, callers: number, expired: boolean): Promise<Table> {
  const verdicts: (Verdict & { readonly name: string })[] = []
  for (const peer of peers) {
    verdicts.push({ name: peer.name, ...(await judge(peer, callers, expired)) })
  }
  const rows = verdicts.map(
    ({ name, renewals, succeeded, revoked }): Row => [
      name,
      String(renewals),
      `${succeeded} of ${callers}`,
      revoked ? 'lost' : 'kept',
    ],
  )
  const bars = verdicts.map(({ name, renewals, revoked }) => {
    const label = `${renewals}${revoked ? ', login lost' : ''}`
    return { name, value: renewals, label, own: isOwn(name) }
  })
  const alt = `The token requests of each client: ${verdicts.map(({ name, renewals }) => `${name} ${renewals}`).join(', ')}.`
  const [short = title] = title.split(';')
  const chart = { kind: 'bars', alt, unit: 'token requests', groups: [{ bars }] } as const
  const columns = ['token requests', 'requests that succeeded', 'login']
  return { id, title: short, columns, rows, chart }
}

async function judge(peer: Peer, callers: number, expired: boolean): Promise<Verdict> {
  let valid = 1
  let renewals = 0
  let revoked = false
  let refused = 0
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const json = (status: number, value: object) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value))
    if (request.url === '/token') {
      renewals += 1
      const given = new URLSearchParams(body).get('refresh_token')
      if (given !== `refresh-${valid}`) revoked = true
      if (!revoked) valid += 1
      const next = valid
      await pause(answerMs)
      if (revoked) return void json(400, { error: 'invalid_grant' })
      return void json(200, {
        access_token: `access-${next}`,
        refresh_token: `refresh-${next}`,
        token_type: 'Bearer',
        expires_in: 3600,
      })
    }
    if (request.url === '/.well-known/oauth-authorization-server') {
      return void json(200, {
        issuer: origin,
        token_endpoint: `${origin}/token`,
        authorization_endpoint: `${origin}/authorize`,
        registration_endpoint: `${origin}/register`,
        response_types_supported: ['code'],
        code_challenge_methods_supported: ['S256'],
        token_endpoint_auth_methods_supported: ['none'],
      })
    }
    if (request.url !== '/mcp') return void json(404, {})
    const isGood = !revoked && request.headers.authorization === `Bearer access-${valid}`
    if (isGood && valid > 1) return void response.writeHead(202).end()
    refused += 1
    if (!expired) await pause((refused * 300) / callers)
    response.writeHead(401, { 'www-authenticate': 'Bearer' }).end()
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

  const surroundings: Surroundings = {
    first: {
      accessToken: 'access-1',
      refreshToken: 'refresh-1',
      expiresAt: Date.now() + (expired ? -1000 : 3_600_000),
    },
    resource: `${origin}/mcp`,
    tokenEndpoint: `${origin}/token`,
    async renew(refreshToken): Promise<Grant> {
      const form = { grant_type: 'refresh_token', refresh_token: refreshToken, client_id: 'bench' }
      const body = new URLSearchParams(form)
      const response = await fetch(`${origin}/token`, { method: 'POST', body })
      const answer = (await response.json()) as Record<string, string | number>
      if (!response.ok) throw new Error(String(answer['error']))
      return {
        accessToken: String(answer['access_token']),
        refreshToken: String(answer['refresh_token']),
        expiresAt: Date.now() + Number(answer['expires_in']) * 1000,
      }
    },
  }
  const call = await peer.client(surroundings)
  const outcomes = await Promise.allSettled(Array.from({ length: callers }, call))
  const succeeded = outcomes.filter(
    (outcome) => outcome.status === 'fulfilled' && outcome.value < 300,
  ).length
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
  return { renewals, succeeded, revoked }
}
