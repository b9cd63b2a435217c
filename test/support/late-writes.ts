import { expect } from 'vitest'
import type { CredentialRecord, CredentialStore, Secret } from '../../src/index.ts'
import { deferred } from './clock.ts'

const name = 'https://mcp.example.com/mcp | default'
const recordOf = (accessToken: string): CredentialRecord => ({
  version: 1,
  provider: 'test',
  data: { accessToken },
})
const refused = { name: 'StoreError', message: expect.stringContaining('The lock of') }

/**
 * Checks that a store refuses what a task began under a lock, or left behind there, once the lock has ended.
 *
 * @param open - Opens the same place with a key.
 */
export async function checkLateWrites(
  key: string,
  open: (key: Secret) => CredentialStore,
): Promise<void> {
  const arrival = deferred<void>()
  let isSlow = false
  const one = open(async () => {
    if (isSlow) await arrival.promise
    return key
  })
  const two = open(key)
  await one.set(name, recordOf('old'))
  let late: Promise<unknown> | undefined
  await one.lock(name, async () => {
    isSlow = true
    late = one.set(name, recordOf('late')).catch((error: unknown) => error)
  })
  await two.lock(name, () => two.set(name, recordOf('new')))
  arrival.resolve()
  expect(await late).toMatchObject(refused)
  expect(await two.get(name)).toEqual(recordOf('new'))

  const end = deferred<void>()
  const left: Promise<unknown>[] = []
  await one.lock(name, async () => {
    const changes: readonly (() => Promise<unknown>)[] = [
      () => one.set(name, recordOf('late')),
      () => one.delete(name),
    ]
    for (const change of changes) {
      left.push(end.promise.then(change).catch((error: unknown) => error))
    }
  })
  end.resolve()
  for (const outcome of left) expect(await outcome).toMatchObject(refused)
  expect(await two.get(name)).toEqual(recordOf('new'))

  const again = deferred<void>()
  let relocked: Promise<unknown> | undefined
  await one.lock(name, async () => {
    relocked = again.promise.then(() => one.lock(name, () => one.set(name, recordOf('relocked'))))
  })
  again.resolve()
  await relocked
  expect(await two.get(name)).toEqual(recordOf('relocked'))
}
