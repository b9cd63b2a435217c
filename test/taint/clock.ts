/** Virtual time that waits for the work of other threads: keys, signatures, files. */
import { type VirtualTime, virtualTime } from '../lifecycle/time.ts'

const turn = setImmediate
/** Turns of the event loop without any work left, after which nothing happens but by a timer. */
const idleTurns = 4
/** Work that takes longer is not waited for, so that no test hangs. */
const longestWorkMs = 3000
/** Whoever waits longer for a lock waits for one whose holder needs time to pass. */
const longestTurnMs = 1000

let working = 0
/** Stories with files and sockets wait for the system as well. */
let usesSystem = false
/** A socket of this machine takes a turn for each way. */
const socketTurns = 14
let queuing = 0
let sleeping = 0

/** Counts a piece of work that is done outside of the event loop. */
export async function counted<T>(work: Promise<T>): Promise<T> {
  working += 1
  try {
    return await work
  } finally {
    working -= 1
  }
}

/** Counts what a lock of the system does before and after the task that it is for. */
export async function queued<T, Held>(
  lock: (task: (held: Held) => Promise<T>) => Promise<T>,
  task: (held: Held) => Promise<T>,
): Promise<T> {
  queuing += 1
  try {
    return await lock(async (held) => {
      queuing -= 1
      try {
        return await task(held)
      } finally {
        queuing += 1
      }
    })
  } finally {
    queuing -= 1
  }
}

/** Lets everything run that waits for no timer. */
export async function quiet(): Promise<void> {
  const { hrtime } = process
  const began = hrtime.bigint()
  const wanted = usesSystem ? socketTurns : idleTurns
  for (let idle = 0; idle < wanted; ) {
    await new Promise<void>((resolve) => void turn(resolve))
    const tookMs = Number(hrtime.bigint() - began) / 1_000_000
    const isWaiting = (working > 0 || isReading()) && tookMs < longestWorkMs
    const isQueuing = queuing > 0 && tookMs < longestTurnMs
    idle = isWaiting || isQueuing ? 0 : idle + 1
  }
}

/** Whether a file is being read or written. */
function isReading(): boolean {
  return usesSystem && process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
}

/** Waits on behalf of the world. */
export async function sleep(time: VirtualTime, seconds: number): Promise<void> {
  sleeping += 1
  try {
    await time.sleep(seconds * 1000)
  } finally {
    sleeping -= 1
  }
}

/** Steps that are small enough for whatever begins when a timer goes off. */
const step = 0.5
const steps = 120

/** Lets time pass until a promise is settled, or for so many seconds. */
export async function pass(
  time: VirtualTime,
  seconds: number,
  until?: Promise<unknown>,
): Promise<void> {
  let isOver = false
  const end = () => {
    isOver = true
  }
  until?.then(end, end)
  await quiet()
  for (let left = seconds, count = 0; left > 0 && !isOver; count += 1) {
    const isBusy = sleeping > 0 || time.pending().length > 0
    // What goes on for ever, such as a wait for a user, is no reason to go slowly for ever.
    const next = isBusy && count < steps ? Math.min(step, left) : left
    await time.advance(next * 1000, () => isOver)
    left -= next
    await quiet()
  }
}

const asynchronous = [
  'sign',
  'verify',
  'digest',
  'generateKey',
  'importKey',
  'exportKey',
  'encrypt',
  'decrypt',
  'deriveBits',
] as const

/**
 * Takes over the clocks of the process, and counts its cryptography as work.
 *
 * @param onKey - Learns the private part of each key pair that is made and may be exported.
 * @param withSystem - Files and sockets are used in ways that are not counted.
 * @returns The time, and how to give everything back.
 */
export function startClock(
  onKey: (d: string) => void,
  withSystem = false,
): { time: VirtualTime; stop: () => void } {
  const time = virtualTime(() => {})
  sleeping = 0
  usesSystem = withSystem
  const { subtle } = crypto
  for (const name of asynchronous) {
    const own = Reflect.get(subtle, name) as (...values: unknown[]) => Promise<unknown>
    const value = async (...values: unknown[]) => {
      const result = await counted(own.apply(subtle, values))
      if (name === 'exportKey') onKey((result as { d?: string }).d ?? '')
      return result
    }
    Object.defineProperty(subtle, name, { value, configurable: true })
  }
  return {
    time,
    stop() {
      for (const name of asynchronous) Reflect.deleteProperty(subtle, name)
      time.restore()
    },
  }
}
