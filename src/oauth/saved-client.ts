/**
 * Client credentials that are stored together with the client's secret.
 *
 * @module
 */
import type {
  AcquireContext,
  Credential,
  CredentialProvider,
  CredentialRecord,
} from '../credential.ts'
import { commandArgument } from '../labels.ts'
import type { OAuthOptions } from './options.ts'
import { oauthProvider } from './provider.ts'
import { OAuthCredential } from './token.ts'

/** The provider of these records. */
export const clientGrant = 'clientCredentials'

/** Whether a record contains the client secret for further tokens. */
export function holdsClientSecret({ provider, issuer, data }: CredentialRecord): boolean {
  return (
    provider === clientGrant && issuer !== undefined && typeof data['clientSecret'] === 'string'
  )
}

/** Renews the client credentials of records that contain their secret. */
export class SavedClients {
  readonly #options: OAuthOptions
  readonly #owners = new WeakMap<Credential, CredentialProvider>()

  /** @param options - The options of the provider that uses the records. */
  constructor(options: OAuthOptions) {
    this.#options = options
  }

  /** Returns the provider that renews and revokes a credential; `undefined`: it has another source. */
  ownerOf(credential: Credential | undefined): CredentialProvider | undefined {
    return credential === undefined ? undefined : this.#owners.get(credential)
  }

  /** Rebuilds the credential of a record; `undefined`: it belongs to another client or authorization server. */
  async restore(
    record: CredentialRecord,
    context: AcquireContext,
  ): Promise<Credential | undefined> {
    const { issuer = '' } = record
    const { clientId, issuer: pinned, metadata } = this.#options
    const isOther =
      (clientId !== undefined && clientId !== record.data['clientId']) ||
      (pinned ?? metadata?.issuer ?? issuer) !== issuer
    if (isOther) return undefined
    const owner = this.#providerFor(issuer, context)
    return this.#owned(await owner.restore?.(record, context), owner)
  }

  /** Requests further tokens. */
  async renew(owner: CredentialProvider, context: AcquireContext): Promise<Credential> {
    const credential = await owner.acquire({
      ...context,
      salvage: (rest) => context.salvage(this.#owned(rest, owner)),
    })
    return this.#owned(credential, owner)
  }

  #owned<C extends Credential | undefined>(credential: C, owner: CredentialProvider): C {
    if (credential !== undefined) this.#owners.set(credential, owner)
    return credential
  }

  /**
   * Makes the provider for one issuer: stored values are sent only to the authorization server that they belong
   * to.
   */
  #providerFor(issuer: string, { resource }: AcquireContext): CredentialProvider {
    const command = `npx mcp-credentials login ${commandArgument(resource)} --grant client-credentials`
    const pinned = this.#options.metadata === undefined ? { issuer } : {}
    return oauthProvider({
      name: clientGrant,
      options: { ...this.#options, ...pinned },
      interactive: false,
      refusedRemedy: `Store a client that the server accepts: \`${command}\`.`,
      offline: false,
      async run(session) {
        const tokens = OAuthCredential.tokensOf(session.context.previous)
        const connection = await session.connect(tokens?.client)
        const response = await connection.requestTokens('client_credentials', session.parameters)
        return { response, connection }
      },
    })
  }
}
