/**
 * Waits that a signal can abort.
 *
 * @module
 */

/** The longest delay of `setTimeout`; longer ones fire at once. */
const longestTimerMs = 2 ** 31 - 1
/** A timer that fires later than this shows that the machine or the process was suspended. */
const oversleptMs = 1000
/** Data that the sockets received in the meantime is read within this time. */
const graceMs = 5000

interface Hub {
  readonly callbacks: Set<() => void>
  readonly listener: () => void
}

// Node warns of a leak at the eleventh listener of a signal, and a transport gives all its requests the
// same one. This library therefore adds one listener to a signal for any number of requests.
const hubs = new WeakMap<AbortSignal, Hub>()

/**
 * Calls back once when the signal aborts; immediately when it has already aborted.
 *
 * @returns A function that removes the callback.
 */
export function onAbort(signal: AbortSignal, callback: () => void): () => void {
  if (signal.aborted) {
    callback()
    return () => {}
  }
  const hub = hubs.get(signal) ?? addHub(signal)
  // The same function may be registered twice, and each registration ends on its own.
  const entry = () => callback()
  hub.callbacks.add(entry)
  return () => {
    hub.callbacks.delete(entry)
    if (hub.callbacks.size > 0 || hubs.get(signal) !== hub) return
    hubs.delete(signal)
    signal.removeEventListener('abort', hub.listener)
  }
}

function addHub(signal: AbortSignal): Hub {
  const callbacks = new Set<() => void>()
  const listener = () => {
    hubs.delete(signal)
    for (const callback of [...callbacks]) callback()
  }
  const hub = { callbacks, listener }
  signal.addEventListener('abort', listener, { once: true })
  hubs.set(signal, hub)
  return hub
}

/** Waits, unless a signal aborts first: then it rejects with the signal's reason. */
export function pause(
  milliseconds: number,
  ...signals: readonly (AbortSignal | null | undefined)[]
): Promise<void> {
  const aborted = signals.find((signal) => signal?.aborted === true)
  if (aborted !== undefined && aborted !== null) return Promise.reject(aborted.reason)
  if (milliseconds <= 0) return Promise.resolve()
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, Math.min(milliseconds, longestTimerMs))
  })
  return abortable(timeout, ...signals).finally(() => clearTimeout(timer))
}

/** Waits for a promise that does not observe the signals; rejects with the reason of the first abort. */
export function abortable<T>(
  promise: Promise<T>,
  ...signals: readonly (AbortSignal | null | undefined)[]
): Promise<T> {
  const listening = signals.filter((signal) => signal !== undefined && signal !== null)
  if (listening.length === 0) return promise
  return new Promise((resolve, reject) => {
    const subscriptions: (() => void)[] = []
    const unsubscribe = () => {
      for (const stop of subscriptions.splice(0)) stop()
    }
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
    const aborted = listening.find((signal) => signal.aborted)
    if (aborted !== undefined) return reject(aborted.reason)
    for (const signal of listening) {
      const leave = () => {
        unsubscribe()
        reject(signal.reason)
      }
      subscriptions.push(onAbort(signal, leave))
    }
  })
}

/**
 * Calls back after a time. When the process or the machine was suspended in between, the sockets have not been read
 * yet: the callback is then called a moment later, so that a response that has already arrived counts.
 *
 * @param keepsProcess - Whether it keeps the process running. Default `true`.
 * @returns A function that stops the timer.
 */
export function timeLimit(
  milliseconds: number,
  onExpired: () => void,
  { keepsProcess = true }: { readonly keepsProcess?: boolean } = {},
): () => void {
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
    if (!keepsProcess) (timer as { unref?: () => void }).unref?.()
  }
  arm()
  return () => clearTimeout(timer)
}

/**
 * Runs a task with a signal that aborts when another one does, or after a time, as {@link timeLimit}
 * measures it.
 *
 * @param tooLate - Returns the abort reason after that time. Default: a `TimeoutError`.
 * @throws What the task throws; the task must observe its signal.
 */
export async function withTimeLimit<T>(
  milliseconds: number,
  signal: AbortSignal | undefined,
  task: (signal: AbortSignal) => Promise<T>,
  tooLate: () => Error = () => new DOMException('The operation timed out.', 'TimeoutError'),
): Promise<T> {
  const controller = new AbortController()
  const unsubscribe = signal && onAbort(signal, () => controller.abort(signal.reason))
  const stop = timeLimit(milliseconds, () => controller.abort(tooLate()))
  try {
    return await task(controller.signal)
  } finally {
    stop()
    unsubscribe?.()
  }
}

/**
 * Waits until a promise is settled, but no longer than allowed, as {@link timeLimit} measures it.
 *
 * @param keepsProcess - Whether it keeps the process running. Default `true`.
 */
export function within(
  milliseconds: number,
  promise: Promise<unknown>,
  options: { readonly keepsProcess?: boolean } = {},
): Promise<void> {
  return new Promise((resolve) => {
    const stop = timeLimit(milliseconds, resolve, options)
    const finished = () => {
      stop()
      resolve()
    }
    promise.then(finished, finished)
  })
}
