import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { env, withCredentials } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { savedLogin } from 'mcp-credentials/oauth'
import { webLogins } from 'mcp-credentials/web'
import type { Session } from './session.ts'

const directory = process.env['STORE_DIRECTORY'] ?? ''
const store = encryptedFileStore({ key: env('STORE_KEY'), directory })

/** The logins of users at their MCP servers, for an application at `origin`. */
export function mcpLogins(origin: string) {
  const redirectUri = `${origin}/callback`
  const logins = webLogins({
    ...{ key: env('LOGIN_KEY'), redirectUri, store },
    clientName: 'Notes for teams',
  })
  return {
    begin: (server: string, { user, id }: Session) =>
      logins.beginLogin({ resource: server, account: user, session: id }),
    finish: (callback: string, state: string | undefined, { id }: Session) =>
      logins.finishLogin(callback, state, { session: id }),
    async whoami(server: string, { user }: Session): Promise<string> {
      const url = new URL(server)
      const options = withCredentials(savedLogin(), { resource: url, store, account: user })
      const client = new Client({ name: 'notes-for-teams', version: '1.0.0' })
      try {
        await client.connect(new StreamableHTTPClientTransport(url, options))
        return JSON.stringify((await client.callTool({ name: 'whoami' })).content)
      } finally {
        await client.close()
        await options.close()
      }
    },
  }
}
