import { build } from 'esbuild'
import { Miniflare } from 'miniflare'
import { callRepeatedly, issuer, url } from '../session.ts'

// In a project, `wrangler` does this: it bundles the Worker, and runs it in workerd with these bindings.
await build({
  entryPoints: ['worker.ts'],
  bundle: true,
  format: 'esm',
  conditions: ['workerd', 'worker'],
  external: ['node:*', 'cloudflare:*'],
  alias: { path: 'node:path' },
  outfile: 'worker.js',
})
const runtime = new Miniflare({
  modules: [{ type: 'ESModule', path: 'worker.js' }],
  compatibilityDate: '2026-04-01',
  compatibilityFlags: ['nodejs_compat'],
  durableObjects: { NOTES: { className: 'Notes', useSQLite: true } },
  bindings: {
    MCP_URL: url,
    MCP_ISSUER: issuer,
    MCP_CLIENT_SECRET: process.env['MCP_CLIENT_SECRET'] ?? '',
  },
})

async function ask(body: string): Promise<unknown> {
  const response = await runtime.dispatchFetch('http://agent/', { method: 'POST', body })
  return response.json()
}

console.log('The server offers:', String(await ask('')))
await callRepeatedly(ask)

await runtime.dispose()
