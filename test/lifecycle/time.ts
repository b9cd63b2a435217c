/**
 * Time that moves only when a story says so: the timers, the wall clock and the monotonic clock of
 * the process, without any real waiting.
 */

interface Timer {
  readonly due: number
  readonly run: () => void
  /** The world's own: answers of servers. They come from sockets, so after the timers of a wake-up. */
  readonly isWorlds: boolean
  readonly label: string
}

const epoch = Date.UTC(2026, 0, 1)
const longestDelay = 2 ** 31 - 1
const turn = setImmediate

export interface VirtualTime {
  /** Milliseconds since the epoch by this machine's clock, which may be set. */
  wall(): number
  /** Milliseconds since the epoch by the clocks of all other machines. */
  truth(): number
  /** Milliseconds since the story began. */
  elapsed(): number
  /** The same with every forward step of the wall clock: time as a caller with an injected clock sees it. */
  counted(): number
  /** Sets the wall clock forward or back. */
  jump(milliseconds: number): void
  /** Waits on behalf of the world. */
  sleep(milliseconds: number): Promise<void>
  /** Lets time pass; ends early when `isOver` says so. */
  advance(milliseconds: number, isOver?: () => boolean): Promise<void>
  /** Lets time pass while the process is stopped: on waking, all timers run before any socket is read. */
  freeze(milliseconds: number): Promise<void>
  /** Lets everything run that waits for nothing but its turn. */
  settle(): Promise<void>
  /** The timers that the library has running, by their delay and where they were set. */
  pending(): readonly string[]
  /** Gives the process its own clocks and timers back. */
  restore(): void
}

/** More timers in one second than any library has use for. */
const tooMany = 100

/**
 * Takes over the clocks and timers of the process.
 *
 * @param onHot - Hears of timers that go off all the time.
 */
export function virtualTime(onHot: (count: number, delay: string) => void): VirtualTime {
  const timers = new Map<number, Timer>()
  let elapsed = 0
  let skew = 0
  let forward = 0
  let serial = 0
  let second = 0
  let inSecond = 0

  const add = (delay: number, run: () => void, isWorlds: boolean, label: string): number => {
    serial += 1
    timers.set(serial, { due: elapsed + delay, run, isWorlds, label })
    return serial
  }
  const nextDue = (until: number): [number, Timer] | undefined => {
    let best: [number, Timer] | undefined
    for (const entry of timers) {
      if (entry[1].due <= until && (best === undefined || entry[1].due < best[1].due)) best = entry
    }
    return best
  }
  const fire = ({ run, isWorlds, label }: Timer) => {
    const now = Math.floor(elapsed / 1000)
    inSecond = now === second ? inSecond + (isWorlds ? 0 : 1) : 0
    second = now
    if (inSecond === tooMany) onHot(inSecond, label)
    run()
  }
  const settle = () => new Promise<void>((resolve) => void turn(resolve))
  const drainMicrotasks = async () => {
    for (let count = 0; count < 40; count += 1) await undefined
  }
  const wall = () => epoch + Math.floor(elapsed) + skew
  const restoreGlobals = takeOver({
    wall,
    elapsed: () => elapsed,
    start: (delay, run) => {
      // As in Node: what does not fit into 32 bits, and what is below one, is one millisecond.
      const isUsual = delay >= 1 && delay <= longestDelay
      return add(isUsual ? delay : 1, run, false, `${delay} ms`)
    },
    stop: (id) => timers.delete(id),
    hidden: (delay, run) => void add(delay, run, true, ''),
  })

  return {
    wall,
    truth: () => epoch + elapsed,
    elapsed: () => elapsed,
    counted: () => elapsed + forward,
    settle,
    jump(milliseconds) {
      skew += milliseconds
      if (milliseconds > 0) forward += milliseconds
    },
    sleep: (milliseconds) =>
      new Promise((resolve) => void add(Math.max(0, milliseconds), resolve, true, '')),
    async advance(milliseconds, isOver = () => false) {
      await settle()
      const end = elapsed + milliseconds
      for (let next = nextDue(end); next !== undefined && !isOver(); next = nextDue(end)) {
        timers.delete(next[0])
        elapsed = Math.max(elapsed, next[1].due)
        fire(next[1])
        await settle()
      }
      elapsed = Math.max(elapsed, end)
      await settle()
    },
    async freeze(milliseconds) {
      await settle()
      elapsed += milliseconds
      for (const worlds of [false, true]) {
        const due = [...timers]
          .filter(([, timer]) => timer.isWorlds === worlds && timer.due <= elapsed)
          .sort(([, a], [, b]) => a.due - b.due)
        for (const [id, timer] of due) {
          if (!timers.delete(id)) continue
          fire(timer)
          await drainMicrotasks()
        }
      }
      await settle()
    },
    pending: () =>
      [...timers.values()].filter(({ isWorlds }) => !isWorlds).map(({ label }) => label),
    restore: restoreGlobals,
  }
}

interface Clockwork {
  wall(): number
  elapsed(): number
  start(delay: number, run: () => void): number
  stop(id: number): void
  hidden(delay: number, run: () => void): void
}

/** The timer that `setTimeout` returns in Node. */
interface Handle {
  readonly id: number
  ref(): Handle
  unref(): Handle
  hasRef(): boolean
  [Symbol.toPrimitive](): number
}

function takeOver(clockwork: Clockwork): () => void {
  const saved = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    dateNow: Date.now,
    timeout: AbortSignal.timeout,
  }
  const start = (run: (...values: unknown[]) => void, delay = 0, ...values: unknown[]): Handle => {
    const id = clockwork.start(Number(delay), () => run(...values))
    const handle: Handle = {
      id,
      ref: () => handle,
      unref: () => handle,
      hasRef: () => true,
      [Symbol.toPrimitive]: () => id,
    }
    return handle
  }
  globalThis.setTimeout = start as unknown as typeof setTimeout
  globalThis.clearTimeout = ((handle: Handle | undefined) => {
    if (handle !== undefined && handle !== null) clockwork.stop(Number(handle))
  }) as unknown as typeof clearTimeout
  Date.now = clockwork.wall
  Object.defineProperty(performance, 'now', { value: clockwork.elapsed, configurable: true })
  // The platform's own cannot be cleared either, and holds nothing, so it does not count as left.
  AbortSignal.timeout = (delay) => {
    const controller = new AbortController()
    const error = new DOMException('The operation was aborted due to timeout', 'TimeoutError')
    clockwork.hidden(delay, () => controller.abort(error))
    return controller.signal
  }
  return () => {
    globalThis.setTimeout = saved.setTimeout
    globalThis.clearTimeout = saved.clearTimeout
    Date.now = saved.dateNow
    AbortSignal.timeout = saved.timeout
    delete (performance as { now?: unknown }).now
  }
}
