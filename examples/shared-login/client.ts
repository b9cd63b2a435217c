import assert from 'node:assert/strict'
import { env } from 'mcp-credentials'
import { encryptedFileStore } from 'mcp-credentials/file'
import { runProcesses } from '../servers/processes.ts'
import { startRotatingLogin } from '../servers/rotating-login.ts'
import { temporaryFolder } from '../servers/temporary.ts'

const { url, key, logIn, check, close } = await startRotatingLogin()
const directory = temporaryFolder()

process.env['MCP_STORE_KEY'] = key
await logIn(encryptedFileStore({ key: env('MCP_STORE_KEY'), directory }))

const worker = new URL('worker.ts', import.meta.url)
const ended = await runProcesses(worker, 3, { MCP_URL: url.href, STORE_DIRECTORY: directory })
assert.deepEqual(ended, [0, 0, 0])
check()

await close()
