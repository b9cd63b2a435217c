/**
 * Writing what must not be lost.
 *
 * @module
 */
import { abortable, pause, withTimeLimit } from '../waiting.ts'

/** How long one attempt may take, in milliseconds. */
const attemptLimitMs = 5000
/** Pauses before further attempts, in milliseconds. */
const pausesMs: readonly number[] = [50, 200, 800]

/**
 * Writes a record, with a few attempts.
 *
 * @returns Whether it was written. A store that does not answer is not waited for, since callers wait for the
 * credential.
 */
export async function writeSoon(write: () => Promise<void>): Promise<boolean> {
  let isSilent = false
  for (const delay of [0, ...pausesMs]) {
    await pause(delay, undefined)
    try {
      await withTimeLimit(attemptLimitMs, undefined, (signal) => {
        return abortable(write(), signal).finally(() => {
          isSilent = signal.aborted
        })
      })
      return true
    } catch {
      if (isSilent) return false
    }
  }
  return false
}
