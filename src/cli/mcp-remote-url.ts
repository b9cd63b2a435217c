/**
 * Finds the URL in an entry that starts `mcp-remote`.
 *
 * @module
 */
import type { ConfiguredServer } from '../config/index.ts'

/** The URL that an entry passes to mcp-remote, as written; `undefined`: it starts another program. */
export function remoteUrl({
  command = '',
  args = [],
}: Pick<ConfiguredServer, 'command' | 'args'>): string | undefined {
  const isRemote = [command, ...args].some((word) => /(?:^|[\\/])mcp-remote(?:@|$)/.test(word))
  return isRemote ? args.find((word) => /^https?:\/\//.test(word) && URL.canParse(word)) : undefined
}
