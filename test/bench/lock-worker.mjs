// Renews a record through the lock of a store, as often as it can, and says how often it could.
import { openStore } from '../support/fleet-store.mjs'

const { store: kind, options, ms } = JSON.parse(process.argv[2] ?? '{}')
const store = await openStore(kind, options)
process.send?.('ready')
await new Promise((resolve) => process.once('message', resolve))
const end = Date.now() + ms
let count = 0
while (Date.now() < end) {
  await store.lock('bench', async () => {
    const record = await store.get('bench')
    await store.set('bench', { ...record, generation: (record?.generation ?? 0) + 1 })
  })
  count += 1
}
process.send?.(count)
process.disconnect()
