/**
 * Shared by all OAuth providers: they restore tokens, and load the code for requests when it is needed.
 *
 * @module
 */
import type { Credential, CredentialProvider, CredentialRecord } from '../credential.ts'
import { resourceLabel } from '../labels.ts'
import { storedSource } from '../provider-source.ts'
import { DpopSessions } from './dpop.ts'
import type { Grant } from './grant.ts'
import type { GrantRequests } from './grant-requests.ts'
import { loginProviders } from './login-providers.ts'
import { bindOptions, type OAuthOptions, pinnedIssuer } from './options.ts'
import { OAuthCredential, type TokenSet, tokenSetFrom } from './token.ts'

/** Makes a provider of a grant. The secret in its options is bound to their issuer here. */
export function oauthProvider(
  unbound: Omit<Grant, 'options'> & { readonly options: OAuthOptions },
): CredentialProvider {
  const grant: Grant = { ...unbound, options: bindOptions(unbound.options) }
  const { name, options, interactive } = grant
  const dpopSessions = new DpopSessions(name, options.dpop)
  let loading: Promise<GrantRequests> | undefined
  const requests = () => {
    // Discovery, registration and openid-client are most of this folder.
    loading ??= import('./grant-requests.ts').then(({ grantRequests }) =>
      grantRequests(grant, dpopSessions),
    )
    return loading
  }
  const restored = new WeakMap<Credential, string>()
  return {
    name,
    interactive,
    scoped: true,
    source: (credential) => restored.get(credential) ?? issuedSource(credential),
    discovers: options.metadata === undefined,
    acquire: async (context) => (await requests()).acquire(context),
    revoke: async (credential, context) => (await requests()).revoke(credential, context),
    forget: async (context) => (await requests()).forget(context),
    restore(record, { serverUrl }) {
      const stored = restorableTokens(grant, record)
      if (stored === undefined) return undefined
      const dpop = dpopSessions.restore(stored)
      const isUnbound = dpop?.required === true && stored.tokenType === 'bearer'
      // It can be renewed for one that is bound to the key.
      const tokens = isUnbound ? { ...stored, expiresAt: 0 } : stored
      const credential = new OAuthCredential(name, tokens, dpop)
      const what = loginProviders.has(record.provider) ? 'login' : 'token'
      restored.set(credential, storedSource(what, serverUrl, record.obtainedAt))
      return credential
    },
  }
}

function issuedSource({ issuer }: Credential): string | undefined {
  if (issuer === undefined) return undefined
  return `a token that ${resourceLabel(issuer).replace(/\/$/, '')} has issued`
}

/** The tokens of a record; `undefined` when they belong to another provider, client or authorization server. */
function restorableTokens(
  { name, options, interactive }: Grant,
  record: CredentialRecord,
): TokenSet | undefined {
  // Any login provider can continue the login of another.
  const isOwn = record.provider === name || (interactive && loginProviders.has(record.provider))
  const tokens = isOwn ? tokenSetFrom(record) : undefined
  const { clientId = tokens?.client.clientId } = options
  const issuer = pinnedIssuer(options) ?? tokens?.issuer
  const fits = tokens?.client.clientId === clientId && tokens?.issuer === issuer
  return fits ? tokens : undefined
}
