/**
 * What providers report for those who audit logins. No member can hold a secret.
 *
 * @module
 */

/**
 * What a provider reports through {@link AcquireContext.emit}: a union on `type`, part of {@link CredentialEvent}.
 *
 * @group Events
 */
export type AuditEvent = {
  /** The authorization server, exactly as it writes itself. Absent: none is known yet. */
  readonly issuer?: string
  /** The client identifier, cut where it could hold a sentence. Absent: there is none yet. */
  readonly clientId?: string
  /** The grant, by its `grant_type` (RFC 6749, section 4), such as `refresh_token`. */
  readonly grant?: string
} & (
  | {
      /** `auto()` has found where the credential for a server comes from. Once for each choice. */
      readonly type: 'source_chosen'
      /**
       * A server's entry in a config file (`config`), a login or a key in the store (`stored`), the identity that
       * the environment gives this process (`workload`), a person who is asked to log in (`login`), or nothing, for
       * a server that answers without a credential (`none`).
       */
      readonly source: 'config' | 'stored' | 'workload' | 'login' | 'none'
      /** Which, and why, in words. */
      readonly detail: string
    }
  | {
      /** The client registered itself (RFC 7591). */
      readonly type: 'client_registered'
    }
  | {
      /** A user is asked to log in. */
      readonly type: 'login_started'
      /** The scopes that are asked for; none: the server decides. */
      readonly requested: readonly string[]
    }
  | {
      /** A login has ended. */
      readonly type: 'login_finished'
      /** Whether it brought tokens. */
      readonly succeeded: boolean
      /** The code of the error, if it brought none. */
      readonly code?: string
    }
  | {
      /** The MCP server names another authorization server than the one that issued the present tokens. */
      readonly type: 'issuer_changed'
      /** The one that issued them. */
      readonly previousIssuer: string
    }
  | {
      /** Tokens were issued; after a renewal only when their scopes have changed. */
      readonly type: 'scopes_granted'
      /** The scopes that were asked for; none: the server decided. */
      readonly requested: readonly string[]
      /** The scopes of the tokens. */
      readonly granted: readonly string[]
      /** Those that were asked for and not granted. */
      readonly missing: readonly string[]
    }
  | {
      /** The end of tokens was asked for at their issuer (RFC 7009). */
      readonly type: 'revocation'
      /** Whether the issuer revoked them. If not, copies of them work until they expire. */
      readonly revoked: boolean
      /** The code or the class of the error, if there was one. */
      readonly code?: string
      /** Why not, in words that hold no text of a server; absent when they were. */
      readonly reason?: string
    }
  | {
      /**
       * Somebody else seems to have used the refresh token: the issuer refused it although this client had not
       * used it. All tokens of the login were sent for revocation (RFC 9700, section 4.14.2).
       */
      readonly type: 'refresh_reuse_suspected'
      /**
       * `server`: its answer says so. `history`: the token had replaced an earlier one, and was refused while the
       * access token that came with it was valid.
       */
      readonly evidence: 'server' | 'history'
      /** Whether the issuer revoked them. */
      readonly revoked: boolean
    }
  | {
      /** A document of a server was not used. */
      readonly type: 'document_refused'
      /** Which: that of the MCP server (RFC 9728), or that of the authorization server (RFC 8414). */
      readonly document: 'resource_metadata' | 'server_metadata'
      /** Where it is: origin and path. */
      readonly url: string
      /** Why, as the error says it. */
      readonly reason: string
    }
  | {
      /** The option `allow` refused a step, so it was not taken. */
      readonly type: 'refused_by_policy'
      /** Which, as the policy was asked about it. */
      readonly step:
        | 'discovery'
        | 'registration'
        | 'authorization'
        | 'token_request'
        | 'revocation'
        | 'step_up'
      /** The origins that were not contacted, nor opened in a browser. */
      readonly origins: readonly string[]
      /** The scopes that were not asked for; none: the server would have decided. */
      readonly requested: readonly string[]
      /** Why, as the error says it. */
      readonly reason: string
    }
  | {
      /**
       * A login of a web application did not begin, or what came back from it was not accepted: then its code was
       * not sent. Where the state cannot be opened, it is not known whose login it was, and `resource` is empty.
       */
      readonly type: 'login_refused'
      /** Which half: `beginLogin()` or `finishLogin()`. */
      readonly during: 'begin' | 'finish'
      /** The code of the error, such as `login_mismatch`. */
      readonly code: string
      /** Why, as the error says it. */
      readonly reason: string
    }
)
