/**
 * The server of an entry that starts `mcp-remote`.
 *
 * @module
 */
import type { ConfiguredServer } from '../config/index.ts'

/** The URL for which an entry starts mcp-remote, as it is written; `undefined`: it starts something else. */
export function remoteUrl({
  command = '',
  args = [],
}: Pick<ConfiguredServer, 'command' | 'args'>): string | undefined {
  const isRemote = [command, ...args].some((word) => /(?:^|[\\/])mcp-remote(?:@|$)/.test(word))
  return isRemote ? args.find((word) => /^https?:\/\//.test(word) && URL.canParse(word)) : undefined
}
