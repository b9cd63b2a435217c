import assert from 'node:assert/strict'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { isCredentialError } from 'mcp-credentials'
import { connect } from 'mcp-credentials/mcp'
import { authorizationCode, savedLogin } from 'mcp-credentials/oauth'
import { memoryStore, testServers } from 'mcp-credentials/testing'

/** The application: what it tells its user when a call fails is what we want to test. */
async function ask(client: Client, text: string): Promise<string> {
  try {
    const { content } = await client.callTool({ name: 'echo', arguments: { text } })
    return JSON.stringify(content)
  } catch (error) {
    if (isCredentialError(error, 'login_required')) return 'Please log in again.'
    // What does not pass by itself, such as a variable that is not set, is for whoever runs the agent.
    return isCredentialError(error) && error.retryable ? 'Try again soon.' : 'Something is wrong.'
  }
}

// Two servers in this process. Somebody has logged in, and the login is stored.
const { resource, authorizationServer, mcp, close } = await testServers()
const store = memoryStore()
const login = authorizationCode({ onAuthorizationUrl: authorizationServer.visit })
const first = await connect(new Client({ name: 'login', version: '1.0.0' }), resource, login, {
  store,
})
await first.close()

const client = new Client({ name: 'agent', version: '1.0.0' })
const agent = await connect(client, resource, savedLogin(), { store })
console.log('With a login:', await ask(client, 'hello'))

mcp.expireTokens()
console.log('When the token has expired:', await ask(client, 'still there?'))
assert.deepEqual(
  authorizationServer.tokenRequests().map(({ grant_type }) => grant_type),
  ['authorization_code', 'refresh_token'],
)

mcp.expireTokens()
authorizationServer.refuse(1)
const answer = await ask(client, 'and now?')
console.log('When the login has ended:', answer)
assert.equal(answer, 'Please log in again.')

await agent.close()
await close()
