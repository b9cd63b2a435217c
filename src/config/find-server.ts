/**
 * Finds the entry of the config files for a URL or a name.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { queryOf, serverLabel } from '../labels.ts'
import { jsonOf } from './nodes.ts'
import { shown } from './problems.ts'
import { comparableUrl } from './server-url.ts'
import type { LoadedServer } from './servers.ts'

/** The servers by name: the nearest in a trusted file, otherwise the nearest. */
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
 * Finds the server of a resource.
 *
 * The query of an entry may select a tenant, so the entry matches only a resource with the same query. An
 * entry without a query matches any query, unless another entry for the same server has one: then an
 * unknown query may be another tenant, and matches no entry.
 *
 * @throws {@link ConfigurationError} when several entries match, and their credentials differ.
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

/** The nearest place is used; two entries in one place with different credentials are ambiguous. */
function unambiguous(first: LoadedServer, others: readonly LoadedServer[], url: URL): LoadedServer {
  const rival = others.find((each) => each.fileContext === first.fileContext && differ(first, each))
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
        'Select one of them by its name: `config.credentials(name)` of mcp-credentials/config.',
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
