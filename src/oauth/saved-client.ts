/**
 * Client credentials that are in the store together with the client's secret.
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

/** The provider whose records these are. */
export const clientGrant = 'clientCredentials'

/** Whether a record holds what further tokens are asked for with. */
export function holdsClientSecret({ provider, issuer, data }: CredentialRecord): boolean {
  return (
    provider === clientGrant && issuer !== undefined && typeof data['clientSecret'] === 'string'
  )
}

/** Renews the client credentials of records that hold their secret. */
export class SavedClients {
  readonly #options: OAuthOptions
  readonly #owners = new WeakMap<Credential, CredentialProvider>()

  /** @param options - Those of the provider that uses what is stored. */
  constructor(options: OAuthOptions) {
    this.#options = options
  }

  /** What renews and revokes a credential; `undefined`: it comes from something else. */
  ownerOf(credential: Credential | undefined): CredentialProvider | undefined {
    return credential === undefined ? undefined : this.#owners.get(credential)
  }

  /** Rebuilds the credential of a record; `undefined`: it is of another client or authorization server. */
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

  /** Asks for further tokens. */
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

  /** Nothing of what is stored goes to another authorization server than the one that it is from. */
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
