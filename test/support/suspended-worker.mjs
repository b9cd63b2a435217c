// Redeems a refresh token, and tells its parent what came of it.
import { TokenManager } from 'mcp-credentials'
import { refreshToken } from 'mcp-credentials/oauth'

const { issuer, resource, acquireTimeout } = JSON.parse(process.argv[2])
const metadata = { issuer, token_endpoint: `${issuer}/token` }
const provider = refreshToken({ clientId: 'agent', issuer, refreshToken: 'refresh-0', metadata })
const manager = new TokenManager(provider, { resource, acquireTimeout })
try {
  const credential = await manager.credential()
  const headers = new Headers()
  const url = new URL(resource)
  await credential.apply({ method: 'POST', url, headers, body: undefined, attempt: 1 })
  process.send({ authorization: headers.get('Authorization') })
} catch (error) {
  process.send({ code: error.code })
}
await manager.close()
process.disconnect()
