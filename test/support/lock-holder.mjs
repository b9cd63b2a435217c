// Takes the lock of a record and holds it until it is killed.
import { encryptedFileStore } from 'mcp-credentials/file'

const { key, directory, name } = JSON.parse(process.argv[2] ?? '{}')
const store = encryptedFileStore({ key, directory })
await store.lock(name, async () => {
  process.send?.('held')
  await new Promise((resolve) => setTimeout(resolve, 600_000))
})
