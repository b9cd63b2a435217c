/**
 * The login in the store.
 *
 * @module
 */
import type { AcquireContext, Credential, CredentialProvider } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { commandArgument, serverLabel } from '../labels.ts'
import { sourceOf } from '../provider-source.ts'
import {
  isSameKey,
  keyFlags,
  keySourceOf,
  restoreKey,
  type StoredKey,
  signsAnew,
  storedKeyOf,
} from '../providers/stored-key.ts'
import { checkOAuthOptions, type OAuthOptions } from './options.ts'
import { oauthProvider } from './provider.ts'
import { refusedRemedies } from './refused-remedies.ts'
import { holdsClientSecret, SavedClients } from './saved-client.ts'

/**
 * Uses and renews the login that `authorizationCode()`, `deviceCode()`, `refreshToken()` or
 * `webLogins()` stored; it never logs in itself. Use it in unattended processes. It also sends a
 * key that `saveKey()` or `mcp-credentials set` stored for the server; no authorization server is
 * then contacted. Client credentials are renewed where their secret is in the store: by
 * `clientCredentials()` with `keepSecret`, or `mcp-credentials login --grant client-credentials`.
 *
 * @example
 * ```ts
 * import { authorizedFetch } from 'mcp-credentials'
 * import { keychainStore } from 'mcp-credentials/keychain'
 * import { savedLogin } from 'mcp-credentials/oauth'
 *
 * const fetch = authorizedFetch(savedLogin(), {
 *   resource: 'https://mcp.example.com/mcp',
 *   store: keychainStore({ service: 'my-agent' }),
 * })
 * ```
 *
 * @param options - Only the options that the login needed: a `clientSecret` with its `clientId` and `issuer`,
 * and `allow`, which is not stored: without it, renewals and revocations are not checked. Tokens that are
 * bound to a key need no option.
 * @throws `ConfigurationError` when an option is invalid. An acquisition throws `LoginRequiredError` when
 * there is no login, and when the server refuses a stored key.
 * @group Logins of users
 */
export function savedLogin(options: OAuthOptions = {}): CredentialProvider {
  const name = 'savedLogin'
  checkOAuthOptions(name, options, [])
  const provider = oauthProvider({
    name,
    options,
    interactive: true,
    refusedRemedy: refusedRemedies.loginElsewhere,
    unattended: true,
    widens: false,
    replaces: false,
    offline: true,
    run: async ({ context }) => {
      throw nobody(name, context)
    },
  })
  const refused = new WeakSet<Credential>()
  const clients = new SavedClients(options)
  // The record names the issuer for the renewal, so no discovery is needed first.
  return {
    ...provider,
    discovers: false,
    source: (credential) => keySourceOf(credential) ?? sourceOf(provider.source, credential),
    async acquire(context) {
      const { previous } = context
      const key = storedKeyOf(previous)
      if (previous !== undefined && key !== undefined) {
        if (!refused.has(previous) && context.reason !== 'insufficient_scope') return previous
        throw keyRefused(name, key, keySourceOf(previous) ?? 'the stored key', context)
      }
      const owner = clients.ownerOf(previous)
      if (owner !== undefined) return clients.renew(owner, context)
      if (previous !== undefined) return provider.acquire(context)
      throw nobody(name, context)
    },
    async restore(record, context) {
      if (holdsClientSecret(record)) return clients.restore(record, context)
      const credential = await restoreKey(record, context)
      if (credential === undefined) return provider.restore?.(record, context)
      const key = storedKeyOf(credential)
      const isRefused = context.reason === 'rejected' && isSameKey(credential, context.previous)
      if (isRefused && key !== undefined && !signsAnew(key)) refused.add(credential)
      return credential
    },
    // The library cannot revoke a key that it did not issue.
    revoke: async (credential, context) => {
      if (storedKeyOf(credential) !== undefined) return false
      const owner = clients.ownerOf(credential) ?? provider
      return (await owner.revoke?.(credential, context)) === true
    },
    forget: async (context) =>
      storedKeyOf(context.previous) === undefined && (await provider.forget?.(context)) === true,
  }
}

function nobody(
  name: string,
  { resource, serverUrl, records }: AcquireContext,
): LoginRequiredError {
  // Records in memory have no lock.
  const isStored = 'lock' in records
  const label = serverLabel(serverUrl)
  return new LoginRequiredError(
    'no_credential',
    isStored
      ? `${name}: there is no login for ${label}.`
      : `${name}() needs the option \`store\`, the one in which the login or the key is stored: \`store: defaultStore()\` of mcp-credentials/auto for those of the command mcp-credentials.`,
    {
      provider: name,
      resource,
      ...(isStored
        ? {
            remedy: `Log in once with authorizationCode(), deviceCode() or webLogins(), with the same option \`store\` and the same \`account\` as here; or, for \`defaultStore()\`, run \`npx mcp-credentials login ${commandArgument(serverUrl)}\`.`,
          }
        : {}),
    },
  )
}

function keyRefused(
  name: string,
  key: StoredKey,
  source: string,
  { resource, serverUrl, reason, scope }: AcquireContext,
): LoginRequiredError {
  const label = serverLabel(serverUrl)
  const isStepUp = reason === 'insufficient_scope'
  return new LoginRequiredError(
    isStepUp ? 'step_up' : 'key_rejected',
    `${name}: ${label} ${isStepUp ? `wants more rights than ${source} has` : `refuses ${source}`}.`,
    {
      provider: name,
      resource,
      scope,
      remedy: `Store another one: \`npx mcp-credentials set ${commandArgument(serverUrl)} ${keyFlags(key)}\`.`,
    },
  )
}
