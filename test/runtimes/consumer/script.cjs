// What a project does that has the package installed, as a CommonJS script.
const { apiKey, withCredentials } = require('mcp-credentials')
const { clientCredentials } = require('mcp-credentials/oauth')
const { testMcpServer } = require('mcp-credentials/testing')

const ping = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }

async function main() {
  const mcp = await testMcpServer({ apiKey: 'k' })
  const options = withCredentials(apiKey({ value: 'k' }), { resource: mcp.url })
  console.log('key', (await options.fetch(mcp.url, ping)).status)
  console.log('login', typeof clientCredentials)
  await options.close()
  await mcp.close()
}

void main()
