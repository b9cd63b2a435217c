/** Waits on virtual time for calls that also read files. */
import type { VirtualTime } from './time.ts'

const turn = setImmediate
/** Virtual seconds; nothing in these stories takes longer. */
const longest = 900

const idleTurns = 20
/** A module that is loaded by `import()` takes as long, even where it is known already. */
const longestImportMs = 200

/** The outcome of a call; time passes while it is waited for, but not while a file is being read. */
export async function settled<T>(time: VirtualTime, call: Promise<T>): Promise<T> {
  let isOver = false
  const end = () => {
    isOver = true
  }
  call.then(end, end)
  const start = time.elapsed()
  let busyAt = process.hrtime.bigint()
  for (let idle = 0; !isOver; ) {
    await new Promise<void>((resolve) => void turn(resolve))
    const isReading = process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))
    idle = isReading ? 0 : idle + 1
    if (isReading) busyAt = process.hrtime.bigint()
    const quietMs = Number(process.hrtime.bigint() - busyAt) / 1_000_000
    if (idle < idleTurns || quietMs < longestImportMs || isOver) continue
    if (time.elapsed() - start > longest * 1000) throw new Error('a call never settles')
    await time.advance(500)
  }
  return call
}
