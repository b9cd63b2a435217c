/**
 * Waiting that ends in time.
 *
 * @module
 */

/**
 * Runs a task with a signal that aborts when another one does, or after a time: then with a `TimeoutError`.
 *
 * A timer is kept for it, because signals of `AbortSignal.any()` that only `fetch` knows can be collected as garbage.
 */
export async function withinTime<T>(
  milliseconds: number,
  signal: AbortSignal,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController()
  const leave = () => controller.abort(signal.reason)
  if (signal.aborted) leave()
  signal.addEventListener('abort', leave, { once: true })
  const late = () => controller.abort(new DOMException('It took too long.', 'TimeoutError'))
  const timer = setTimeout(late, milliseconds)
  try {
    return await task(controller.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', leave)
  }
}

/** Waits for something that may not heed the signal; rejects with its reason when it aborts. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    const stop = () => signal.removeEventListener('abort', leave)
    promise.finally(stop).then(resolve, reject)
  })
}
