/** Unhandled rejections while a story is played. */
import { afterEach, beforeEach } from 'vitest'
import { playing } from './play.ts'
import { violate } from './types.ts'

type Report = (problem: unknown) => void

/** A story that ends in an unhandled rejection fails by its own message, and can be shortened. */
export function violateOnRejections(): void {
  let others: Report[] = []
  const onRejection: Report = (problem) => {
    if (playing !== undefined) violate(playing, `unhandled rejection: ${String(problem)}`)
  }

  beforeEach(() => {
    others = process.listeners('unhandledRejection') as Report[]
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', onRejection)
  })
  afterEach(() => {
    process.off('unhandledRejection', onRejection)
    for (const each of others) process.on('unhandledRejection', each)
  })
}
