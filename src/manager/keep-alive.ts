/**
 * Cloudflare Workers: a task ends with the request that started it, and nothing of it runs again, `finally`
 * included. Another request that waits for it is rejected by the runtime, or before the compatibility date
 * 2024-10-14 waits for ever.
 *
 * @module
 */
import { nodeBuiltin } from '../encoding.ts'

/** The module `cloudflare:workers`, as far as it is used here. */
interface WorkersModule {
  waitUntil?(promise: Promise<unknown>): void
}

/** Whether tasks end with the request that started them. */
export function endsWithRequest(): boolean {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } }
  return navigator?.userAgent === 'Cloudflare-Workers'
}

/**
 * Lets a task go on after its request was answered, where the runtime can: in Cloudflare Workers from the
 * compatibility date 2026-11-17 or with `nodejs_compat`, for 30 seconds.
 */
export function keepAlive(task: Promise<unknown>): void {
  if (!endsWithRequest()) return
  const finished = () => {}
  try {
    nodeBuiltin<WorkersModule>('cloudflare:workers')?.waitUntil?.(task.then(finished, finished))
  } catch {
    // There is no request that could be kept.
  }
}
