// A stdio bridge in a process of its own, on the built package. What it needs is in its environment, since command
// lines are public.
import { bearer, env } from 'mcp-credentials'
import { stdioBridge } from 'mcp-credentials/node'
import { savedLogin } from 'mcp-credentials/oauth'
import { openStore } from './fleet-store.mjs'

const { url, store } = JSON.parse(process.env['PROXY_SETTING'] ?? '{}')
const withStore =
  store === undefined ? undefined : { store: await openStore(store.kind, store.options) }
const ending = new AbortController()
process.once('SIGTERM', () => ending.abort())
const { ended } = stdioBridge(withStore ? savedLogin() : bearer(env('PROXY_TOKEN')), {
  resource: url,
  input: process.stdin,
  output: process.stdout,
  signal: ending.signal,
  onLog: (line) => console.error(line),
  ...withStore,
})
await ended
