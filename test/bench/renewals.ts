import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { type Grant, type Peer, peers, type Surroundings } from './peers.ts'

/** What the issuer, as the judge, saw. */
interface Verdict {
  readonly renewals: number
  readonly succeeded: number
  readonly revoked: boolean
}

const answerMs = 20

/** How often the issuer is asked when many callers need a new token at once. */
export async function benchRenewals(): Promise<void> {
  // The SDKs report each lost login there, thousands of times.
  console.warn = () => {}
  await table('1000 callers at once, the token has expired', 1000, true)
  await table('200 requests in flight, refused one after another within 300 ms', 200, false)
}

async function table(title: string, callers: number, expired: boolean): Promise<void> {
  console.log(`\n${title}; refresh tokens are good for one use, and reuse revokes the family\n`)
  console.log('| | renewals | requests that succeeded | family revoked |\n|---|---|---|---|')
  for (const peer of peers) {
    const { renewals, succeeded, revoked } = await judge(peer, callers, expired)
    console.log(
      `| ${peer.name} | ${renewals} | ${succeeded} of ${callers} | ${revoked ? 'yes' : 'no'} |`,
    )
  }
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
