/**
 * Examines the authorization of a server with the library's own discovery.
 *
 * @module
 */
import { isCredentialError, TokenManager } from '../../index.ts'
import { authorizationCode, discover } from '../../oauth/index.ts'
import { labelOf } from '../labels.ts'
import { objectOf } from './messages.ts'
import type { Authorization, Conversation, Issuer, Metadata, Refusal } from './observations.ts'
import type { ReadDocument, Requester } from './requests.ts'
import { requiresDpop } from './required-credential.ts'

/** The most authorization servers that are examined. */
const maxIssuers = 4

/** The settings of the discovery. */
export interface DiscoverySettings {
  readonly requester: Requester
  readonly signal: AbortSignal
  readonly allowPrivateNetwork: boolean
  /** The responses of the server; a challenge may name the required type of token. */
  readonly conversation: Conversation
}

/** Finds the authorization servers of a server, and simulates a login with each. */
export async function examineAuthorization(
  url: URL,
  settings: DiscoverySettings,
): Promise<Authorization> {
  let named: readonly string[] = []
  const { requester, conversation } = settings
  const first = await find(url, settings, (issuers) => {
    named = issuers
    return issuers[0] ?? ''
  })
  const resource = resourceDocument(requester, named)
  const published = resource === undefined ? {} : { resource }
  if ('refusal' in first && named.length === 0) {
    const { documents } = requester
    // If no document was requested, the URL itself was refused.
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
    const observed = { conversation, authorization: { ...published, named, issuers } }
    issuers.push(await described(url, { ...settings, dpop: requiresDpop(observed) }, issuer, found))
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
  { requester, signal, allowPrivateNetwork }: DiscoverySettings,
  selectIssuer: (issuers: readonly string[]) => string,
): Promise<Found> {
  try {
    const { fetch } = requester
    return await discover(url, { fetch, signal, allowPrivateNetwork, selectIssuer })
  } catch (error) {
    signal.throwIfAborted()
    return { refusal: refusalOf(error, url) }
  }
}

interface LoginSettings extends DiscoverySettings {
  /** Whether tokens are bound to a key. */
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
  const observed = { issuer, metadata, loginRefusal }
  return pinnedRefusal === undefined
    ? { ...observed, needsPin: true }
    : { ...observed, pinnedRefusal }
}

/**
 * Starts a login with the library's provider, and stops it after the discovery: no client is registered,
 * and no browser is opened.
 *
 * @param isPinned - Whether the application sets the issuer.
 * @returns The error that would stop the login; `undefined`: none.
 */
async function rehearse(
  url: URL,
  { requester, signal, allowPrivateNetwork, dpop }: LoginSettings,
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
  const manager = new TokenManager(provider, { resource: url, fetch: requester.fetch })
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
 * Describes an error without its stack.
 *
 * @param url - The server; its name is replaced, because the report is about it.
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
  { documents }: Requester,
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

/** Returns a list of strings; `undefined`: the value is not one. */
export function texts(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) && value.every((each) => typeof each === 'string') ? value : undefined
}
