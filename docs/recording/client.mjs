/** A client that starts its MCP server, as desktop applications do; the command line says which. */
import { Client } from '@modelcontextprotocol/client'
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio'

const [command = '', ...args] = process.argv.slice(2)
const client = new Client({ name: 'client', version: '1.0.0' })
await client.connect(new StdioClientTransport({ command, args, env: { ...process.env } }))
const { tools } = await client.listTools()
const result = await client.callTool({ name: 'echo', arguments: { text: 'hello' } })
const names = tools.map(({ name }) => name).join(', ')
console.log(`Connected through the proxy. Tools: ${names}. Answer: ${result.content[0]?.text}`)
await client.close()
