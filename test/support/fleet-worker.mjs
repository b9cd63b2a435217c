// One process of a fleet: calls the MCP server again and again with a login from a store, and tells its
// parent of each call. Plain JavaScript on the built package, so that it starts quickly.
import { authorizedFetch } from 'mcp-credentials'
import { savedLogin } from 'mcp-credentials/oauth'
import { openStore } from './fleet-store.mjs'

const { url, store: kind, options, pauseMs, body = '{}' } = JSON.parse(process.argv[2] ?? '{}')

const store = await openStore(kind, options)
const fetch = authorizedFetch(savedLogin({ parameters: { pid: String(process.pid) } }), {
  resource: url,
  store,
})

let running = true
process.on('message', () => {
  running = false
})
process.on('disconnect', () => process.exit())
process.send?.({ ready: true })

while (running) {
  try {
    const response = await fetch(url, { method: 'POST', body })
    await response.text()
    process.send?.({ status: response.status })
  } catch (error) {
    process.send?.({
      // What `fetch` throws has its code beneath.
      error: error.code ?? error.cause?.code ?? error.name,
      reason: error.reason,
      message: error.message,
    })
  }
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
}
process.disconnect()
