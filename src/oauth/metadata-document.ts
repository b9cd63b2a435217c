/**
 * Reads a metadata document of a server that is not trusted yet.
 *
 * @module
 */
import { CredentialError, DiscoveryError, isCredentialError, systemErrorCode } from '../errors.ts'
import { printable, resourceLabel } from '../labels.ts'
import {
  checkEndpoint,
  documentBounds,
  type EndpointContext,
  fetchEndpoint,
  isObject,
  parseObject,
} from './endpoint.ts'
import { checkPolicy } from './policy.ts'

/** The name of an MCP server's metadata in messages. */
export const resourceMetadata = 'resource_metadata'
/** The name of an authorization server's metadata in messages. */
export const serverMetadata = 'the authorization server metadata'

/** Reads a JSON object; `undefined` when there is none at that URL. */
export async function readDocument(
  context: EndpointContext,
  what: string,
  place: string,
  issuer?: string,
): Promise<Record<string, unknown> | undefined> {
  const url = checkEndpoint(what, place, context)
  if (url.origin !== context.resource.origin) await allowDiscovery(context, url, issuer)
  const init = { method: 'GET', headers: { Accept: 'application/json' } }
  const response = await fetchEndpoint(what, url, init, documentBounds, context).catch(
    (error: unknown) => documentFailed(what, url, context, error),
  )
  const { status } = response
  if (status >= 400 && status < 500 && status !== 408 && status !== 429) return undefined
  if (status !== 200) {
    throw new DiscoveryError(`${resourceLabel(url)} responded with status ${status}.`, {
      status,
      retryable: true,
      resource: context.resource,
    })
  }
  const document = parseObject(await response.text())
  if (document !== undefined) return withoutMistakes(printableDocument(document))
  throw new DiscoveryError(`${resourceLabel(url)} is not a JSON object.`, {
    resource: context.resource,
  })
}

/** Makes the error that names the server whose document could not be read. */
function documentFailed(
  what: string,
  { host, origin }: URL,
  { resource, signal }: EndpointContext,
  error: unknown,
): never {
  if (error instanceof DiscoveryError) throw error
  if (isCredentialError(error)) {
    const { message, status } = error
    throw new DiscoveryError(message, status === undefined ? {} : { status })
  }
  const isLate = (error as { name?: unknown } | null)?.name === 'TimeoutError'
  const cause = systemErrorCode(error)
  if (signal.aborted || (!isLate && cause === undefined)) throw error
  const isOwn = what === resourceMetadata && origin === resource.origin
  const server = isOwn ? 'MCP server' : `server of ${what},`
  const named = what === serverMetadata ? 'authorization server' : server
  throw new CredentialError(
    isLate ? 'timeout' : 'network',
    `The ${named} ${host} ${isLate ? 'did not respond in time' : `cannot be reached (${cause})`}.`,
    {
      resource,
      retryable: true,
      systemCode: isLate ? undefined : cause,
      remedy: 'Check the network and the address.',
    },
  )
}

function allowDiscovery(
  context: EndpointContext,
  { origin, href }: URL,
  issuer: string | undefined,
): Promise<void> {
  const { allow, clientId } = context
  const step = {
    type: 'discovery',
    issuer,
    origins: [origin],
    clientId,
    scopes: [],
    url: href,
  } as const
  return checkPolicy(allow, context, step)
}

/** Members that are lists of texts (RFC 8414 and RFC 9728, section 2). */
const lists: readonly string[] = [
  'scopes_supported',
  'response_types_supported',
  'grant_types_supported',
  'token_endpoint_auth_methods_supported',
  'code_challenge_methods_supported',
  'dpop_signing_alg_values_supported',
]

/** Removes invalid members: `null`, empty texts, and lists that are not lists. */
function withoutMistakes(document: Record<string, unknown>): Record<string, unknown> {
  const isMistake = (name: string, value: unknown) =>
    value === null || value === '' || (lists.includes(name) && !Array.isArray(value))
  const members = Object.entries(document).filter(([name, value]) => !isMistake(name, value))
  return Object.fromEntries(
    members.map(([name, value]) => [name, isObject(value) ? withoutMistakes(value) : value]),
  )
}

/** No metadata is nested more deeply. */
const maxDepth = 16

/** Replaces control characters in all texts of a document, which the application receives. */
function printableDocument(document: Record<string, unknown>, depth = 0): Record<string, unknown> {
  const members = Object.entries(document).map(([name, value]) => [
    printable(name, '\ufffd'),
    printableValue(value, depth),
  ])
  return Object.fromEntries(members) as Record<string, unknown>
}

function printableValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return printable(value, '\ufffd')
  if (depth === maxDepth) return null
  if (Array.isArray(value)) return value.map((item) => printableValue(item, depth + 1))
  return isObject(value) ? printableDocument(value, depth + 1) : value
}
