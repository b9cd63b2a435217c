/**
 * Which entry of the config files a URL or a name stands for.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { queryOf, serverLabel } from '../labels.ts'
import { jsonOf } from './nodes.ts'
import { shown } from './problems.ts'
import { comparableUrl } from './server-url.ts'
import type { LoadedServer } from './servers.ts'

/** The servers by name: the nearest of a trusted file; one of another file only where there is no other. */
export function serversByName(servers: readonly LoadedServer[]): ReadonlyMap<string, LoadedServer> {
  const found = new Map<string, LoadedServer>()
  for (const server of servers) {
    const before = found.get(server.entry.name)
    const isBetter = before !== undefined && !before.file.isTrusted && server.file.isTrusted
    if (before === undefined || isBetter) found.set(server.entry.name, server)
  }
  return found
}

/**
 * The server of a resource.
 *
 * An entry with a query is for one tenant, say, and so serves only a resource with the same query. One without a
 * query was written for the server as a whole, and serves any query, unless another entry for the same server tells
 * queries apart: then a query that no entry has may be a tenant that nobody has configured, and gets nothing.
 *
 * @throws {@link ConfigurationError} when there are several such entries, and their credentials differ.
 */
export function serverAt(
  servers: readonly LoadedServer[],
  resource: string | URL,
): LoadedServer | undefined {
  if (!URL.canParse(resource)) return undefined
  const url = new URL(resource)
  const wanted = comparableUrl(url)
  const same = servers.filter((each) => {
    const own = urlOf(each)
    return own !== undefined && comparableUrl(own) === wanted
  })
  const trusted = same.filter(({ file }) => file.isTrusted)
  const usable = trusted.length > 0 ? trusted : same
  const query = queryOf(url)
  const exact = usable.filter((each) => entryQuery(each) === query)
  const isGeneral = usable.every((each) => entryQuery(each) === '')
  const [first, ...others] = exact.length === 0 && isGeneral ? usable : exact
  return first === undefined ? undefined : unambiguous(first, others, url)
}

function entryQuery(server: LoadedServer): string {
  const url = urlOf(server)
  return url === undefined ? '' : queryOf(url)
}

function urlOf({ target }: LoadedServer): URL | undefined {
  return target !== undefined && 'url' in target ? target.url : undefined
}

/** The nearest place counts; within one, nothing says which of two is meant. */
function unambiguous(first: LoadedServer, others: readonly LoadedServer[], url: URL): LoadedServer {
  const rival = others.find(
    (each) => each.surroundings === first.surroundings && differ(first, each),
  )
  if (rival === undefined || !first.file.isTrusted) return first
  throw ambiguous(first, rival, url)
}

function ambiguous(first: LoadedServer, rival: LoadedServer, url: URL): ConfigurationError {
  const names = [first, rival].map(({ entry }) => `\`${shown(entry.name)}\``).join(' and ')
  return new ConfigurationError(
    'config',
    `The servers ${names} of ${first.file.path} have the same URL and different credentials.`,
    {
      resource: serverLabel(url),
      remedy:
        'Choose one of them by its name: `config.credentials(name)` of mcp-credentials/config.',
    },
  )
}

function differ(one: LoadedServer, other: LoadedServer): boolean {
  return credentialsOf(one) !== credentialsOf(other)
}

function credentialsOf({ entry }: LoadedServer): string {
  const { auth, tenants, headers, headersHelper, oauth } = entry
  const blocks = [...(tenants ?? [])].map(([name, node]) => [name, jsonOf(node)])
  const own = auth === undefined ? undefined : jsonOf(auth)
  return JSON.stringify([own, blocks, [...headers], headersHelper, oauth])
}
