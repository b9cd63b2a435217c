/**
 * What a server publishes about its authorization, as the library itself finds it.
 *
 * @module
 */
import { isCredentialError, TokenManager } from '../../index.ts'
import { authorizationCode, discover } from '../../oauth/index.ts'
import { labelOf } from '../labels.ts'
import type { Asker, ReadDocument } from './ask.ts'
import { objectOf } from './messages.ts'
import type { Authorization, Conversation, Issuer, Metadata, Refusal } from './seen.ts'
import { requiresDpop } from './wanted.ts'

/** Authorization servers that are examined; a server may name more. */
const maxIssuers = 4

/** How the discovery is done. */
export interface DiscoverySettings {
  readonly asker: Asker
  readonly signal: AbortSignal
  readonly allowPrivateNetwork: boolean
  /** The answers of the server, whose challenge may say which tokens it takes. */
  readonly conversation: Conversation
}

/** Finds the authorization servers of a server, and rehearses a login with each. */
export async function examineAuthorization(
  url: URL,
  settings: DiscoverySettings,
): Promise<Authorization> {
  let named: readonly string[] = []
  const { asker, conversation } = settings
  const first = await find(url, settings, (issuers) => {
    named = issuers
    return issuers[0] ?? ''
  })
  const resource = resourceDocument(asker, named)
  const published = resource === undefined ? {} : { resource }
  if ('refusal' in first && named.length === 0) {
    const { documents } = asker
    // Where nothing was asked for, it is the URL that is refused.
    const isUnpublished = documents.length > 0 && documents.every(isAbsent)
    const isSaidSo = first.refusal.code === 'discovery' && isUnpublished
    return { ...published, named, issuers: [], ...(isSaidSo ? {} : first) }
  }
  const [firstName] = named
  const names = firstName === undefined && 'issuer' in first ? [first.issuer] : named
  const issuers: Issuer[] = []
  for (const issuer of names.slice(0, maxIssuers)) {
    const isFirst = issuer === names[0]
    const found = isFirst ? first : await find(url, settings, () => issuer)
    const seen = { conversation, authorization: { ...published, named, issuers } }
    issuers.push(await described(url, { ...settings, dpop: requiresDpop(seen) }, issuer, found))
  }
  return { ...published, named: names, issuers }
}

function isAbsent({ status }: ReadDocument): boolean {
  return status >= 400 && status < 500 && status !== 408 && status !== 429
}

type Found =
  | { readonly issuer: string; readonly metadata: Metadata }
  | { readonly refusal: Refusal }

async function find(
  url: URL,
  { asker, signal, allowPrivateNetwork }: DiscoverySettings,
  selectIssuer: (issuers: readonly string[]) => string,
): Promise<Found> {
  try {
    const { fetch } = asker
    return await discover(url, { fetch, signal, allowPrivateNetwork, selectIssuer })
  } catch (error) {
    signal.throwIfAborted()
    return { refusal: refusalOf(error, url) }
  }
}

interface LoginSettings extends DiscoverySettings {
  /** The tokens are bound to a key. */
  readonly dpop: boolean
}

async function described(
  url: URL,
  settings: LoginSettings,
  issuer: string,
  found: Found,
): Promise<Issuer> {
  if ('refusal' in found) return { issuer, refusal: found.refusal }
  const { metadata } = found
  const loginRefusal = await rehearse(url, settings, issuer, false)
  if (loginRefusal === undefined) return { issuer, metadata }
  const pinnedRefusal = await rehearse(url, settings, issuer, true)
  const seen = { issuer, metadata, loginRefusal }
  return pinnedRefusal === undefined ? { ...seen, needsPin: true } : { ...seen, pinnedRefusal }
}

/**
 * Begins a login with the library's own provider, and ends it before anything but published documents was
 * asked for: no client is registered, and no browser opened.
 *
 * @param isPinned - The application names the issuer.
 * @returns What would stop the login; `undefined`: nothing.
 */
async function rehearse(
  url: URL,
  { asker, signal, allowPrivateNetwork, dpop }: LoginSettings,
  issuer: string,
  isPinned: boolean,
): Promise<Refusal | undefined> {
  const provider = authorizationCode({
    clientId: 'rehearsal',
    allowPrivateNetwork,
    dpop,
    ...(isPinned ? { issuer } : { selectIssuer: () => issuer }),
    allow: ({ type }) => type === 'discovery',
  })
  const manager = new TokenManager(provider, { resource: url, fetch: asker.fetch })
  try {
    await manager.login({ signal })
    return undefined
  } catch (error) {
    signal.throwIfAborted()
    return isCredentialError(error, 'refused_by_policy') ? undefined : refusalOf(error, url)
  } finally {
    await manager.close()
  }
}

/**
 * What may be said of an error.
 *
 * @param url - The server, which need not be named in its own report.
 */
export function refusalOf(error: unknown, url?: URL): Refusal {
  if (!isCredentialError(error)) {
    const name = error instanceof Error ? error.name : 'Error'
    return { code: 'unexpected', message: `It failed unexpectedly (${name}).` }
  }
  const { code, remedy } = error
  const message = shortened(error.message, url)
  if (remedy === undefined) return { code, message }
  return { code, message: message.replace(shortened(remedy, url), '').trim(), remedy }
}

function shortened(message: string, url: URL | undefined): string {
  const label = url === undefined ? '' : labelOf(url)
  const [prefix] = ['authorizationCode: ', `${label}: `].filter((each) => message.startsWith(each))
  const rest = prefix === undefined ? message : message.slice(prefix.length)
  const text = label === '' ? rest : rest.replaceAll(label, 'the server')
  return text.charAt(0).toUpperCase() + text.slice(1)
}

function resourceDocument(
  { documents }: Asker,
  named: readonly string[],
): Authorization['resource'] | undefined {
  for (const { status, body } of documents) {
    const document = status === 200 ? objectOf(body) : undefined
    const isResource = document !== undefined && 'resource' in document && !('issuer' in document)
    if (!isResource || (named.length === 0 && !('authorization_servers' in document))) continue
    return {
      requiresDpop: document['dpop_bound_access_tokens_required'] === true,
      scopes: texts(document['scopes_supported']) ?? [],
      bearerMethods: texts(document['bearer_methods_supported']),
    }
  }
  return undefined
}

/** A list of texts; `undefined` for anything else. */
export function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined
}
