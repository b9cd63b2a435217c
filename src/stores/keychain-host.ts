/**
 * The process for the keychain's native code, so that a call which waits for a prompt, or for a missing
 * daemon, can be aborted, and a crash ends only that process.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { packageAnchors } from './native-package.ts'

const marker = 'MCP_CREDENTIALS_KEYCHAIN_HOST'

// An executable that is an application without `-e` would start itself instead of a host.
if (process.env[marker] !== undefined) process.exit(0)

/** The script of a host, as text, because a bundle has no second file. Its arguments are the anchors. */
const script = `
const { createRequire } = require('node:module')
let keychain
const load = () => {
  let failure
  for (const anchor of process.argv.slice(1)) {
    try { return createRequire(anchor)('keytar') } catch (error) { failure ??= error }
  }
  throw failure
}
const answer = async ({ id, method, args }) => {
  try {
    keychain ??= load()
  } catch (error) {
    return { id, failure: String(error?.message), isMissing: true }
  }
  try {
    return { id, value: await keychain[method](...args) }
  } catch (error) {
    return { id, failure: error instanceof Error ? error.message : 'unknown' }
  }
}
process.on('message', async (request) => process.send?.(await answer(request)))
process.on('disconnect', () => process.exit())
process.send({ isReady: true })
`

/**
 * Whether the executable is a plain Node. Any other may be the application itself: a single executable
 * of Node, Bun, Deno or `pkg`, or Electron.
 */
export function canStartHost(): boolean {
  const { bun, deno, electron } = process.versions
  if ([bun, deno, electron].some((version) => version !== undefined) || 'pkg' in process) {
    return false
  }
  const sea = process.getBuiltinModule?.('node:sea') as { isSea(): boolean } | undefined
  return sea?.isSea() !== true
}

/**
 * Starts a host. Its first message is `{ isReady: true }`; a process that ends earlier is not a host.
 *
 * @throws The error of `spawn` where this process may not start others.
 */
export function startHost(): ChildProcess {
  const args = ['--input-type=commonjs', '-e', script, ...packageAnchors()]
  return spawn(process.execPath, args, {
    env: { ...process.env, [marker]: '1' },
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    windowsHide: true,
  })
}
