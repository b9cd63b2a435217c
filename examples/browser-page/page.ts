import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { withCredentials } from 'mcp-credentials'
import { authorizationCode } from 'mcp-credentials/oauth'

const server = new URL(new URLSearchParams(location.search).get('server') ?? '')

/** Opens the login in a popup, and resolves to the URL at which it ends. */
function openPopup({ href }: URL): Promise<string> {
  const channel = new BroadcastChannel('login')
  window.open(href, 'login', 'popup')
  return new Promise((resolve) => {
    channel.onmessage = ({ data }) => {
      channel.close()
      resolve(data)
    }
  })
}

const provider = authorizationCode({
  clientId: 'notes-page',
  redirectUri: `${location.origin}/callback.html`,
  onAuthorizationUrl: openPopup,
})
const options = withCredentials(provider, { resource: server })

async function ask(): Promise<string> {
  await options.login()
  console.log('logged in')
  const client = new Client({ name: 'notes-page', version: '1.0.0' })
  await client.connect(new StreamableHTTPClientTransport(server, options))
  const { content } = await client.callTool({ name: 'whoami' })
  await client.close()
  return JSON.stringify(content)
}

document.querySelector('button')?.addEventListener('click', async () => {
  const answer = await ask().catch((error: Error) => error.message)
  const place = document.querySelector('#answer')
  if (place !== null) place.textContent = answer
})
