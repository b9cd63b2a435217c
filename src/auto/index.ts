/**
 * A provider that finds the credential automatically, and the store that it shares with the command line.
 *
 * @example
 * ```ts
 * import { withCredentials } from 'mcp-credentials'
 * import { auto } from 'mcp-credentials/auto'
 *
 * const options = withCredentials(auto())
 * ```
 *
 * @module mcp-credentials/auto
 * @group API: auto() and config
 */
export type { PlainOptions, StoredKey } from '../providers/stored-key.ts'
export {
  type DefaultStore,
  type DefaultStoreOptions,
  defaultStore,
  type StoreKind,
} from '../stores/default.ts'
export { listSecrets, type SavedSecret, saveSecret } from '../stores/named-secrets.ts'
export { type AutoOptions, auto } from './auto.ts'
export type { AutoProvider } from './provider.ts'
export { listSaved, type SavedCredential, type SavedKind, savedUrl } from './saved-credentials.ts'
export { saveKey } from './saved-keys.ts'
export { type WorkloadOptions, type WorkloadProvider, workloadIdentity } from './workload.ts'
