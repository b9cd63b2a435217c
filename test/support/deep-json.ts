/** A JSON text of arrays in arrays, which any parser takes. */
export const deepJson = '['.repeat(200_000) + ']'.repeat(200_000)

/** Whether `JSON.stringify` of this platform writes such a value again: Node 26 does, Node 24 does not. */
export const canWriteDeepJson = canWrite(JSON.parse(deepJson))

function canWrite(value: unknown): boolean {
  try {
    JSON.stringify(value)
    return true
  } catch (error) {
    if (error instanceof RangeError) return false
    throw error
  }
}
