import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/client'
import { apiKey, basic, bearer, type CredentialProvider, env, hmac } from 'mcp-credentials'
import { connect } from 'mcp-credentials/mcp'
import { authorizationCode } from 'mcp-credentials/oauth'
import { startTenServers } from '../servers/ten-servers.ts'
import { textOf } from '../servers/tools.ts'

const { urlOf, approve, credentialsSeenBy, close } = await startTenServers()

const providers: Readonly<Record<string, CredentialProvider>> = {
  search: apiKey({ value: env('SEARCH_SECRET') }),
  maps: apiKey({ value: env('MAPS_SECRET'), header: 'X-Maps-Key' }),
  weather: apiKey({ value: env('WEATHER_SECRET'), query: 'key' }),
  tickets: bearer(env('TICKETS_SECRET')),
  builds: bearer(env('BUILDS_SECRET')),
  metrics: bearer(env('METRICS_SECRET')),
  wiki: basic({ username: 'agent', password: env('WIKI_SECRET') }),
  archive: basic({ username: 'agent', password: env('ARCHIVE_SECRET') }),
  payments: hmac({ secret: env('PAYMENTS_SECRET'), keyId: 'agent' }),
  notes: authorizationCode({ onAuthorizationUrl: approve }),
}

const connected = Object.entries(providers).map(async ([name, provider]) => {
  const client = new Client({ name: 'many-servers-example', version: '1.0.0' })
  const connection = await connect(client, urlOf(name), provider)
  return { name, provider, client, connection }
})
const sessions = await Promise.all(connected)
const answers = await Promise.all(sessions.map(({ client }) => client.callTool({ name: 'whoami' })))

for (const [index, { name, provider }] of sessions.entries()) {
  const seen = credentialsSeenBy(name)
  console.log(`${name} (${provider.name}): ${textOf(answers[index] ?? {})}`)
  console.log(`  it received the credential of: ${seen.join(', ') || 'none, only signatures'}`)
  assert.deepEqual(seen, name === 'payments' ? [] : [name])
}
await Promise.all(sessions.map(({ connection }) => connection.close()))
await close()
