import { startApiKeyServer } from './api-key-server.ts'
import { startAuthorizationServer } from './authorization-server.ts'
import { startBasicServer } from './basic-server.ts'
import { startBearerServer } from './bearer-server.ts'
import { startHmacServer } from './hmac-server.ts'
import type { RecordedRequest, RunningServer } from './mcp-server.ts'
import { startOAuthServer } from './oauth-server.ts'

/** Everything that a request carries. */
const wire = ({ query, headers, body }: RecordedRequest) => JSON.stringify([query, headers, body])

/** Ten MCP servers that want five kinds of credentials; the secret of each is in a variable of its own. */
export async function startTenServers() {
  const secretOf = (name: string) => `demo-secret-of-${name}`
  const keys = (name: string) => ({ keys: { [secretOf(name)]: 'agent' } })
  const tokens = (name: string) => ({ tokens: { [secretOf(name)]: 'agent' } })
  const users = (name: string) => ({ users: { agent: secretOf(name) } })
  const authorizationServer = await startAuthorizationServer()
  const notes = await startOAuthServer({ issuer: authorizationServer.issuer })
  const servers: Readonly<Record<string, RunningServer>> = {
    search: await startApiKeyServer(keys('search')),
    maps: await startApiKeyServer({ ...keys('maps'), header: 'X-Maps-Key' }),
    weather: await startApiKeyServer({ ...keys('weather'), query: 'key' }),
    tickets: await startBearerServer(tokens('tickets')),
    builds: await startBearerServer(tokens('builds')),
    metrics: await startBearerServer(tokens('metrics')),
    wiki: await startBasicServer(users('wiki')),
    archive: await startBasicServer(users('archive')),
    payments: await startHmacServer({ secrets: { agent: secretOf('payments') } }),
    notes,
  }
  const names = Object.keys(servers)
  for (const name of names) process.env[`${name.toUpperCase()}_SECRET`] = secretOf(name)

  /** How each credential looks on the wire. */
  const marksOf = (name: string): readonly string[] => {
    if (name === 'notes') return [...notes.tokens]
    return [secretOf(name), Buffer.from(`agent:${secretOf(name)}`).toString('base64')]
  }
  return {
    approve: authorizationServer.approve,
    urlOf(name: string): URL {
      const server = servers[name]
      if (server === undefined) throw new Error(`There is no server ${name}.`)
      return server.url
    },
    /** The servers whose credential this server has seen. A secret that only signs is never seen. */
    credentialsSeenBy(name: string): string[] {
      const seen = servers[name]?.requests.map(wire).join() ?? ''
      return names.filter((other) => marksOf(other).some((mark) => seen.includes(mark)))
    },
    async close() {
      await Promise.all(Object.values(servers).map((server) => server.close()))
      await authorizationServer.close()
    },
  }
}
