/**
 * The login that is in the store, whoever put it there.
 *
 * @module
 */
import type { CredentialProvider } from '../credential.ts'
import { LoginRequiredError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { refusedRemedies } from './grant.ts'
import { checkOAuthOptions, type OAuthOptions } from './options.ts'
import { oauthProvider } from './provider.ts'

/**
 * Uses the login of a person that `authorizationCode()`, `deviceCode()`, `refreshToken()` or `webLogins()` left
 * in the store, and renews it; it never logs in itself. For processes that nobody watches.
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
 * @param options - Only what the login itself needed: a `clientSecret` with its `clientId` and `issuer`, and
 * `allow`, which is not stored: without it no renewal and no revocation is asked about. Tokens
 * that are bound to a key need no option.
 * @throws `ConfigurationError` when an option is wrong. An acquisition throws `LoginRequiredError` when
 * nobody is logged in.
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
    async run({ context }) {
      throw new LoginRequiredError(
        'no_credential',
        `${name}: nobody is logged in to ${resourceLabel(context.resource)}.`,
        {
          provider: name,
          resource: context.resource,
          remedy:
            'Log in once with authorizationCode(), deviceCode() or webLogins(), with the same option `store` and the same `account` as here.',
        },
      )
    },
  })
  // What is stored says where to renew it; nothing has to be asked of the server first.
  return {
    ...provider,
    discovers: false,
    async acquire(context) {
      // What is kept in memory alone has no lock.
      if ('lock' in context.records || context.previous !== undefined) {
        return provider.acquire(context)
      }
      throw new LoginRequiredError(
        'no_credential',
        `${name}() needs the option \`store\`, the one in which authorizationCode() left the login.`,
        { provider: name, resource: context.resource },
      )
    },
  }
}
