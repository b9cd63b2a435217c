import { nodeOf, nodeVersions } from './binary.ts'

/**
 * Fetches the versions of Node before the test files ask for them at the same time: npm 10 breaks the folder of a
 * package that two of its processes install at once. What cannot be fetched is reported by the tests.
 */
export async function setup(): Promise<void> {
  await Promise.allSettled(nodeVersions.map(nodeOf))
}
