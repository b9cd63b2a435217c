/**
 * Writes that must not be lost.
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
 * @returns Whether it was written. It does not wait for a store that does not respond, because callers wait
 * for the credential.
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
