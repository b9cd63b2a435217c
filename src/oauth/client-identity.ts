/**
 * Which client logs a user in.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import { scopeUnion } from '../scope.ts'
import { unsupported } from './connection.ts'
import type { GrantSession } from './grant.ts'
import { checkPolicy, type OAuthPolicy, originsOf, scopesOf } from './policy.ts'
import { type RegisteredClient, register, storedRegistration } from './registration.ts'

/** What the options say about the client. */
export interface ClientIdentityOptions {
  readonly clientId?: string
  readonly clientMetadataUrl?: string
  readonly clientName?: string
  readonly allowPrivateNetwork?: boolean
  readonly allow?: OAuthPolicy
}

/**
 * Returns the client that logs in: the pre-registered one, else its metadata document, else the one that
 * registered itself before, else one that registers itself now.
 *
 * @throws `CredentialError` with the code `unsupported_server` when the server offers none of these ways.
 * @see MCP 2026-07-28, Client Registration Approaches
 */
export async function identifyClient(
  session: GrantSession,
  options: ClientIdentityOptions,
  redirectUri: string,
): Promise<RegisteredClient> {
  const { name, context, server } = session
  const { issuer } = server
  // A registration belongs to the server that was found, also where that writes itself differently.
  const metadata: ServerMetadata = { ...server.metadata, issuer }
  const { clientId, clientMetadataUrl, clientName = 'MCP client' } = options
  const acceptsDocuments = metadata['client_id_metadata_document_supported'] === true
  const knownId = clientId ?? (acceptsDocuments ? clientMetadataUrl : undefined)
  if (knownId !== undefined) {
    return { clientId: knownId, clientSecret: undefined, method: undefined }
  }
  const stored = await storedRegistration(context, issuer, redirectUri)
  if (stored !== undefined) return stored
  if (metadata.registration_endpoint === undefined) {
    const remedy = 'Register a client there by hand, and pass its `clientId` with `issuer`.'
    throw unsupported(name, server, context, 'does not let clients register themselves', remedy)
  }
  const { allowPrivateNetwork = false, allow } = options
  const scope = registeredScope(session)
  await checkPolicy(allow, context, {
    type: 'registration',
    issuer: metadata.issuer,
    origins: originsOf(metadata.registration_endpoint),
    clientId: undefined,
    scopes: scopesOf(scope),
  })
  const registered = await register({ ...context, allowPrivateNetwork }, name, metadata, {
    clientName,
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
    scope,
  })
  const { clientId: newId } = registered
  context.emit?.({ type: 'client_registered', issuer: metadata.issuer, clientId: newId })
  return registered
}

/** All scopes that may be requested later: a client that registered for fewer could never step up. */
function registeredScope({ scope, server }: GrantSession): string | undefined {
  if (server.scopes === undefined) return undefined
  return scopeUnion(server.scopes.join(' '), scope ?? '')
}
