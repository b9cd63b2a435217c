/**
 * Tasks in Cloudflare Workers, which end with the request that started them, without running `finally`.
 * Another request that waits for such a task is rejected by the runtime, or, before the compatibility date
 * 2024-10-14, never settles.
 *
 * @module
 */
import { nodeBuiltin } from '../encoding.ts'

/** The part of the module `cloudflare:workers` that is used here. */
interface WorkersModule {
  waitUntil?(promise: Promise<unknown>): void
}

/** Whether tasks end with the request that started them. */
export function endsWithRequest(): boolean {
  const { navigator } = globalThis as { navigator?: { userAgent?: string } }
  return navigator?.userAgent === 'Cloudflare-Workers'
}

/**
 * Lets a task continue after the response to its request, where the runtime supports it: in
 * Cloudflare Workers from the compatibility date 2026-11-17 or with `nodejs_compat`, for 30
 * seconds.
 */
export function keepAlive(task: Promise<unknown>): void {
  if (!endsWithRequest()) return
  const finished = () => {}
  try {
    nodeBuiltin<WorkersModule>('cloudflare:workers')?.waitUntil?.(task.then(finished, finished))
  } catch {
    // There is no current request.
  }
}
