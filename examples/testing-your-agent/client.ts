import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { connect } from 'mcp-credentials/mcp'
import { authorizationCode, savedLogin } from 'mcp-credentials/oauth'
import { memoryStore, testServers } from 'mcp-credentials/testing'
import { ask } from './agent.ts'

// Two servers in this process. Somebody has logged in, and the login is stored.
const { resource, authorizationServer, mcp, close } = await testServers()
const store = memoryStore()
const login = authorizationCode({ onAuthorizationUrl: authorizationServer.visit })
const loggedIn = new Client({ name: 'login', version: '1.0.0' })
await (await connect(loggedIn, resource, login, { store })).close()

const client = new Client({ name: 'agent', version: '1.0.0' })
const agent = await connect(client, resource, savedLogin(), { store })
console.log('with a login:', await ask(client, 'hello'))

mcp.expireTokens()
console.log('when the token has expired:', await ask(client, 'still there?'))
assert.deepEqual(
  authorizationServer.tokenRequests().map(({ grant_type }) => grant_type),
  ['authorization_code', 'refresh_token'],
)

mcp.expireTokens()
authorizationServer.refuse(1)
const answer = await ask(client, 'and now?')
console.log('when the login has ended:', answer)
assert.equal(answer, 'Please log in again.')

await agent.close()
await close()
