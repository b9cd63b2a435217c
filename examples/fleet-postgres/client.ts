import assert from 'node:assert/strict'
import { env } from 'mcp-credentials'
import { postgresStore } from 'mcp-credentials/postgres'
import { Pool } from 'pg'
import { startPostgres } from '../servers/databases.ts'
import { runProcesses } from '../servers/processes.ts'
import { startRotatingLogin } from '../servers/rotating-login.ts'

const postgres = await startPostgres()
const { url, key, logIn, check, close } = await startRotatingLogin()

process.env['MCP_STORE_KEY'] = key
const pool = new Pool({ connectionString: postgres.url })
const store = postgresStore({ pool, key: env('MCP_STORE_KEY') })
// At deployment; several processes can do so at the same time.
await store.migrate()
await logIn(store)
await pool.end()

const worker = new URL('worker.ts', import.meta.url)
const ended = await runProcesses(worker, 3, { MCP_URL: url.href, DATABASE_URL: postgres.url })
assert.deepEqual(ended, [0, 0, 0])
check()

await close()
await postgres.remove()
