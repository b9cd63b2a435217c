/**
 * Waiting that a signal or a time limit ends.
 *
 * @module
 */

/** The longest delay of `setTimeout`; longer ones fire at once. */
const longestTimerMs = 2 ** 31 - 1
/** A timer that fires this much too late shows that the machine or the process was suspended. */
const oversleptMs = 1000
/** What sockets received meanwhile is read within this time. */
const graceMs = 5000

// One listener for each signal, however many callers wait on it: platforms warn of more than ten.
const callbacksOf = new WeakMap<AbortSignal, Set<() => void>>()

/**
 * Calls back when a signal aborts.
 *
 * @returns Ends the subscription.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  let callbacks = callbacksOf.get(signal)
  if (callbacks === undefined) {
    callbacks = new Set()
    callbacksOf.set(signal, callbacks)
  }
  const subscribed = callbacks
  // The same function may be subscribed twice.
  const entry = () => callback()
  if (subscribed.size === 0) signal.addEventListener('abort', callAll)
  subscribed.add(entry)
  return () => {
    if (subscribed.delete(entry) && subscribed.size === 0) {
      signal.removeEventListener('abort', callAll)
    }
  }
}

function callAll(event: Event): void {
  const callbacks = callbacksOf.get(event.target as AbortSignal) ?? new Set()
  for (const callback of [...callbacks]) callback()
  callbacks.clear()
}

/** Waits, unless the signal aborts first: then it rejects with the signal's reason. */
export function pause(milliseconds: number, signal: AbortSignal | null | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.reject(signal.reason)
  if (milliseconds <= 0) return Promise.resolve()
  return new Promise((resolve, reject) => {
    const unsubscribe =
      signal === undefined || signal === null
        ? undefined
        : onAbort(signal, () => {
            clearTimeout(timer)
            reject(signal.reason)
          })
    const timer = setTimeout(
      () => {
        unsubscribe?.()
        resolve()
      },
      Math.min(milliseconds, longestTimerMs),
    )
  })
}

/** Waits for a promise that does not heed the signal itself. */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | null | undefined,
): Promise<T> {
  if (signal === undefined || signal === null) return promise
  if (signal.aborted) {
    promise.catch(() => {})
    return Promise.reject(signal.reason)
  }
  return new Promise((resolve, reject) => {
    const unsubscribe = onAbort(signal, () => reject(signal.reason))
    promise.then(
      (value) => {
        unsubscribe()
        resolve(value)
      },
      (error: unknown) => {
        unsubscribe()
        reject(error)
      },
    )
  })
}

/**
 * Calls back after a time. When the process or the machine was suspended in between, the sockets have
 * not been read yet: the callback is then called a moment later, so that an answer that has arrived
 * counts.
 *
 * @returns Stops the timer.
 */
export function timeLimit(milliseconds: number, onExpired: () => void): () => void {
  let remaining = milliseconds
  let mayExtend = true
  let timer: ReturnType<typeof setTimeout>
  const arm = () => {
    const delay = Math.min(remaining, longestTimerMs)
    const armedAt = performance.now()
    remaining -= delay
    timer = setTimeout(() => {
      const lateMs = performance.now() - armedAt - delay
      if (mayExtend && lateMs > oversleptMs) {
        mayExtend = false
        remaining += Math.min(milliseconds, graceMs)
      }
      if (remaining > 0) arm()
      else onExpired()
    }, delay)
  }
  arm()
  return () => clearTimeout(timer)
}
