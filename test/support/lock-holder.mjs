// Takes the lock of a record and holds it until it is killed.
import { openStore } from './fleet-store.mjs'

const { name, kind = 'file', ...options } = JSON.parse(process.argv[2] ?? '{}')
const store = await openStore(kind, options)
await store.lock(name, async () => {
  process.send?.('held')
  await new Promise((resolve) => setTimeout(resolve, 600_000))
})
