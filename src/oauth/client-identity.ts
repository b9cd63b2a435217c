/**
 * Chooses the client for a login.
 *
 * @module
 */
import type { ServerMetadata } from 'openid-client'
import type { Secret } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { scopeUnion } from '../scope.ts'
import { checkSecret } from '../secret.ts'
import { bind, readBound } from './bound.ts'
import { unsupported } from './connection.ts'
import type { GrantSession } from './grant.ts'
import { pinnedIssuer, required } from './options.ts'
import { checkPolicy, type OAuthPolicy, originsOf, permittedScopes, scopesOf } from './policy.ts'
import { type RegisteredClient, storedRegistration, whileRegistering } from './registration.ts'
import { type RegistrationPermission, register } from './registration-request.ts'

/** The options about the client. */
export interface ClientIdentityOptions {
  readonly clientId?: string
  readonly clientMetadataUrl?: string
  readonly clientName?: string
  readonly allowPrivateNetwork?: boolean
  readonly allow?: OAuthPolicy
  readonly registration?: RegistrationOptions
  readonly issuer?: string
  readonly metadata?: ServerMetadata
}

/** The application's credentials for registering its client. */
export interface RegistrationOptions {
  /** The initial access token (RFC 7591, section 3). Read for each registration. */
  readonly initialAccessToken?: Secret
  /** The software statement, a signed JWT (RFC 7591, section 2.3). Read for each registration. */
  readonly softwareStatement?: Secret
}

/** The client that logs in. */
export interface LoginClient {
  readonly client: RegisteredClient
  /** Whether it registered itself for an earlier login, so that the server may no longer know it. */
  readonly isStored: boolean
}

/**
 * Returns the client that logs in: the pre-registered one, else its metadata document, else the one that
 * registered itself before, else one that registers itself now.
 *
 * @throws `CredentialError` with the code `unsupported_server` when the server supports none of these.
 * @see MCP 2026-07-28, Client Registration Approaches
 */
export async function identifyClient(
  session: GrantSession,
  options: ClientIdentityOptions,
  redirectUri: string,
): Promise<LoginClient> {
  const { name, context, server } = session
  const { issuer } = server
  // A registration belongs to the discovered server, even if that writes its issuer differently.
  const metadata: ServerMetadata = { ...server.metadata, issuer }
  const { clientId, clientMetadataUrl } = options
  const acceptsDocuments = metadata['client_id_metadata_document_supported'] === true
  const knownId = clientId ?? (acceptsDocuments ? clientMetadataUrl : undefined)
  if (knownId !== undefined) {
    const secret = { clientSecret: undefined, method: undefined }
    return { client: { clientId: knownId, ...secret, isDynamic: false }, isStored: false }
  }
  const stored = await storedRegistration(context, issuer, redirectUri)
  if (stored !== undefined) return { client: stored, isStored: true }
  if (metadata.registration_endpoint === undefined) {
    const remedy = 'Register a client there by hand, and pass its `clientId` with `issuer`.'
    throw unsupported(name, server, context, 'does not support client registration', remedy)
  }
  return whileRegistering(context, issuer, async () => {
    // Another process may have registered it in the meantime.
    const newest = await storedRegistration(context, issuer, redirectUri)
    if (newest !== undefined) return { client: newest, isStored: true }
    const client = await registerClient(session, options, metadata, redirectUri)
    return { client, isStored: false }
  })
}

async function registerClient(
  session: GrantSession,
  options: ClientIdentityOptions,
  metadata: ServerMetadata,
  redirectUri: string,
): Promise<RegisteredClient> {
  const { name, context } = session
  const { clientName = 'MCP client', allowPrivateNetwork = false, allow } = options
  const scope = registeredScope(session, allow)
  await checkPolicy(allow, context, {
    type: 'registration',
    issuer: metadata.issuer,
    origins: originsOf(metadata.registration_endpoint),
    clientId: undefined,
    scopes: scopesOf(scope),
  })
  const client = await register({ ...context, allowPrivateNetwork }, name, metadata, {
    clientName,
    redirectUris: [redirectUri],
    grantTypes: ['authorization_code', 'refresh_token'],
    scope,
    permission: await permissionOf(session, options),
  })
  const { clientId: newId } = client
  context.emit?.({ type: 'client_registered', issuer: metadata.issuer, clientId: newId })
  return client
}

/** Reads the credentials for the registration. They belong to the issuer of the options. */
async function permissionOf(
  { name, context }: GrantSession,
  options: ClientIdentityOptions,
): Promise<RegistrationPermission> {
  const { initialAccessToken, softwareStatement } = options.registration ?? {}
  const read = (option: string, kind: string, secret: Secret) =>
    readBound(
      `${name}.registration.${option}`,
      bind(kind, secret, pinnedIssuer(options) ?? ''),
      context.signal,
    )
  return {
    ...(initialAccessToken === undefined
      ? {}
      : {
          initialAccessToken: await read(
            'initialAccessToken',
            'initial access token',
            initialAccessToken,
          ),
        }),
    ...(softwareStatement === undefined
      ? {}
      : {
          softwareStatement: await read(
            'softwareStatement',
            'software statement',
            softwareStatement,
          ),
        }),
  }
}

/**
 * Checks the credentials for the registration.
 *
 * @throws `ConfigurationError` when there are none, or `issuer` is missing.
 */
export function checkRegistration(provider: string, options: ClientIdentityOptions): void {
  const { registration } = options
  if (registration === undefined) return
  const where = `${provider}.registration`
  checkOptions(where, registration, ['initialAccessToken', 'softwareStatement'])
  const secrets = Object.entries(registration)
  if (secrets.length === 0) {
    throw new ConfigurationError(where, `${where} is empty; leave it out.`)
  }
  for (const [option, secret] of secrets) checkSecret(`${where}.${option}`, secret)
  required(provider, 'issuer', pinnedIssuer(options), 'pass the server that `registration` is for')
}

/** All scopes that may be requested later: a client that registered for fewer could not step up. */
function registeredScope(
  { scope, server }: GrantSession,
  allow: OAuthPolicy | undefined,
): string | undefined {
  if (server.scopes === undefined) return undefined
  return scopeUnion(permittedScopes(allow, server.scopes).join(' '), scope ?? '')
}
