// A process whose files the kernel keeps from growing, until its parent lifts the limit: a store at its first
// use, and again once it is told to.
import { encryptedFileStore } from 'mcp-credentials/file'

const { key, directory, name } = JSON.parse(process.argv[2] ?? '{}')
const store = encryptedFileStore({ key, directory })
const record = { version: 1, provider: 'test', data: { accessToken: 'a' } }
const attempt = async () => {
  const outcome = await store
    .lock(name, () => store.set(name, record))
    .then(
      () => 'written',
      ({ name: kind, code, retryable, message }) => ({ kind, code, retryable, message }),
    )
  process.send?.(outcome)
}
process.on('message', (message) => (message === 'end' ? process.disconnect() : attempt()))
await attempt()
