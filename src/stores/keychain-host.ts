/**
 * The process in which the keychain's native code runs, so that a call which waits for a prompt, or for a
 * daemon that is gone, can be ended from outside.
 *
 * @module
 */
import type { HostReply, HostRequest, KeychainBackend } from './keychain-backend.ts'

const loading = import('keytar').then(
  (module): KeychainBackend => module.default ?? module,
  (error: unknown) => error as Error,
)

process.on('message', async ({ id, method, args }: HostRequest) => {
  reply(await answer(id, method, args))
})
// The parent is gone, and with it everybody who could want an answer.
process.on('disconnect', () => process.exit())

async function answer(
  id: number,
  method: HostRequest['method'],
  args: readonly string[],
): Promise<HostReply> {
  const backend = await loading
  if (backend instanceof Error) return { id, failure: backend.message, isMissing: true }
  try {
    const call = backend[method] as (...values: readonly string[]) => Promise<unknown>
    return { id, value: await call(...args) }
  } catch (error) {
    return { id, failure: error instanceof Error ? error.message : 'unknown', isMissing: false }
  }
}

function reply(message: HostReply): void {
  process.send?.(message)
}
