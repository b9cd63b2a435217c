import assert from 'node:assert/strict'
import { env } from 'mcp-credentials'
import { redisStore } from 'mcp-credentials/redis'
import { startRedis } from '../servers/databases.ts'
import { runProcesses } from '../servers/processes.ts'
import { startRotatingLogin } from '../servers/rotating-login.ts'

const redis = await startRedis()
const { url, key, logIn, check, close } = await startRotatingLogin()

process.env['MCP_STORE_KEY'] = key
await logIn(redisStore({ url: redis.url, key: env('MCP_STORE_KEY') }))

const worker = new URL('worker.ts', import.meta.url)
const ended = await runProcesses(worker, 3, { MCP_URL: url.href, REDIS_URL: redis.url })
assert.deepEqual(ended, [0, 0, 0])
check()

await close()
await redis.remove()
