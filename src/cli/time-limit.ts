/**
 * Time limits and cancellation for tasks.
 *
 * @module
 */

/**
 * Runs a task with a signal that aborts with another signal, or after a time with a `TimeoutError`.
 *
 * It uses its own timer, because a signal of `AbortSignal.any()` that only `fetch` references can be
 * garbage collected.
 */
export async function withTimeLimit<T>(
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

/** Waits for a promise whose task may ignore the signal; rejects with the signal's reason when it aborts. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const leave = () => reject(signal.reason)
    if (signal.aborted) leave()
    signal.addEventListener('abort', leave, { once: true })
    const stop = () => signal.removeEventListener('abort', leave)
    promise.finally(stop).then(resolve, reject)
  })
}
