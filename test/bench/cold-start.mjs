// One cold start: from the beginning of the process to the first answer, in milliseconds.
import { authorizedFetch, bearer } from 'mcp-credentials'
import { openStore } from '../support/fleet-store.mjs'

const { url, store: kind, options } = JSON.parse(process.argv[2] ?? '{}')
const start = async () => {
  if (kind === undefined) return authorizedFetch(bearer('access-1'), { resource: url })
  const { savedLogin } = await import('mcp-credentials/oauth')
  return authorizedFetch(savedLogin(), { resource: url, store: await openStore(kind, options) })
}
const fetch = await start()
const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
const { status } = await fetch(url, { method: 'POST', body })
process.send?.({ status, ms: performance.now() })
process.disconnect()
