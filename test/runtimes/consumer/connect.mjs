// What a project does that has an SDK installed beside the package: it connects, and outlives its first token.
import { custom } from 'mcp-credentials'
import { connect } from 'mcp-credentials/mcp'

const [url, client] = process.argv.slice(2)
const { Client } = await import(client)
let acquired = 0
const provider = custom({
  acquire() {
    acquired += 1
    const token = `token-${acquired}`
    return { apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`) }
  },
})
const mcp = new Client({ name: 'consumer', version: '1.0.0' })
const { kind } = await connect(mcp, url, provider)
for (let call = 0; call < 2; call += 1) {
  const { content } = await mcp.callTool({ name: 'whoami' })
  console.log(kind, JSON.parse(content[0].text).subject)
}
await mcp.close()
