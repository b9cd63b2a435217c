/**
 * Finds keys in config entries that start `mcp-remote`.
 *
 * @module
 */
import type { Config, ConfiguredServer } from '../config/index.ts'
import { isSecret } from './hidden-secrets.ts'
import type { Finding } from './import-findings.ts'
import { keyOfHeaders, proxyEntry, storeKey } from './import-keys.ts'
import { untrusted } from './import-variables.ts'
import { labelOf, printable } from './labels.ts'
import { remoteUrl } from './mcp-remote-url.ts'

/** Finds the secrets in `--header` of the entries that start mcp-remote. */
export function remoteHeaderFindings({ servers }: Config): readonly Finding[] {
  return servers.flatMap((server) => {
    const url = remoteUrl(server)
    const headers = headersIn(server.args ?? [])
    const isFound = headers.some(([name, value]) => isSecret(name, value))
    return url === undefined || !isFound ? [] : [findingOf(server, new URL(url), headers)]
  })
}

type Header = readonly [name: string, value: string]

function headersIn(args: readonly string[]): readonly Header[] {
  return args.flatMap((word, index): readonly Header[] => {
    const [, name, value] = /^([\w-]+):\s*(.+)$/s.exec(word) ?? []
    const isHeader = args[index - 1] === '--header' && name !== undefined && value !== undefined
    return isHeader ? [[name, value]] : []
  })
}

function findingOf(server: ConfiguredServer, url: URL, headers: readonly Header[]): Finding {
  const { file, line, isTrusted } = server
  const key = keyOfHeaders(headers)
  const byHand = 'it contains a variable: store the key with `set`, and use `proxy`'
  return {
    server: url.href,
    source: `${printable(file)}:${line}`,
    kind: `header ${printable(headers.map(([name]) => name).join(', '))} of mcp-remote`,
    problem: key === undefined ? byHand : isTrusted ? undefined : untrusted({ path: file }),
    ...(isTrusted ? {} : { untrustedFile: file }),
    copyTo: async (store, account) =>
      key === undefined || !isTrusted ? undefined : storeKey(store, url, key, account),
    advice({ account }) {
      const entry = proxyEntry(labelOf(url), account === undefined ? [] : ['--account', account])
      return `The secret is still in the arguments of mcp-remote in ${printable(file)}. Replace that entry with ${entry}`
    },
  }
}
