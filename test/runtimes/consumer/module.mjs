// What a project does that has the package installed, as an ECMAScript module: one request with a key, one with a login.
import { apiKey, withCredentials } from 'mcp-credentials'
import { encryptedFileStore, generateKey } from 'mcp-credentials/file'
import { clientCredentials } from 'mcp-credentials/oauth'
import { testMcpServer, testServers } from 'mcp-credentials/testing'

const ping = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }
const mcp = await testMcpServer({ apiKey: 'k' })
const withKey = withCredentials(apiKey({ value: 'k' }), { resource: mcp.url })
console.log('key', (await withKey.fetch(mcp.url, ping)).status)

const servers = await testServers()
const store = encryptedFileStore({ key: generateKey(), directory: './store' })
const { issuer } = servers.authorizationServer
const machine = clientCredentials({ clientId: 'client', clientSecret: 'secret', issuer })
const withLogin = withCredentials(machine, { resource: servers.resource, store })
console.log('login', (await withLogin.fetch(servers.resource, ping)).status)
await store.lock('record', async () => console.log('lock'))

await Promise.all([withKey.close(), withLogin.close(), mcp.close(), servers.close()])
