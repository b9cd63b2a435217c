/**
 * Moves keys in headers of config files into the store.
 *
 * @module
 */
import type { DefaultStore, StoredKey } from '../auto/index.ts'
import { labelOf } from './labels.ts'

/** The key in literal headers; `undefined`: they contain variables. */
export function keyOfHeaders(
  given: readonly (readonly [name: string, value: string])[],
): StoredKey | undefined {
  if (given.some(([, value]) => value.includes(`\${`))) return undefined
  const headers = Object.fromEntries(given)
  const [only, ...more] = Object.entries(headers)
  if (only === undefined || more.length > 0) return { type: 'headers', headers }
  const [header, value] = only
  if (header.toLowerCase() !== 'authorization') return { type: 'apiKey', header, value }
  const token = /^Bearer +(\S+)$/i.exec(value)?.[1]
  return token === undefined ? { type: 'headers', headers } : { type: 'bearer', token }
}

/**
 * Stores a key, and returns a sentence for the user; `undefined`: another credential is stored, and was
 * kept.
 */
export async function storeKey(
  store: DefaultStore,
  url: URL,
  key: StoredKey,
  account: { readonly account?: string },
): Promise<string | undefined> {
  const { saveKey } = await import('../auto/index.ts')
  const { kept } = await saveKey(store, { resource: url, key, ...account, ifAbsent: true })
  return kept === undefined ? `Stored for ${labelOf(url)}.` : undefined
}

/** A config entry that connects to a server through `proxy`, with the stored credential. */
export function proxyEntry(server: string, options: readonly string[]): string {
  const args = ['-y', 'mcp-credentials', 'proxy', server, ...options]
  return JSON.stringify({ command: 'npx', args })
}
