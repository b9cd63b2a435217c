import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { env } from 'mcp-credentials'
import { bridge } from 'mcp-credentials/node'
import { clientCredentials } from 'mcp-credentials/oauth'
import { callRepeatedly, issuer, url } from '../session.ts'

const clientSecret = env('MCP_CLIENT_SECRET')
const provider = clientCredentials({ clientId: 'agent', clientSecret, issuer })

const local = await bridge(provider, { resource: url })

async function inspect(...options: string[]): Promise<{ stdout: string }> {
  const program = 'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js'
  const target = ['--cli', '--server-url', local.url.href, '--transport', 'http']
  return await promisify(execFile)(process.execPath, [program, ...target, ...options])
}

const { stdout } = await inspect('--method', 'tools/list')
console.log('The server offers:', stdout.match(/(?<="name": ")\w+/g)?.join(', '))
await callRepeatedly((text) =>
  inspect('--method', 'tools/call', '--tool-name', 'echo', '--tool-arg', `text=${text}`),
)

await local.close()
