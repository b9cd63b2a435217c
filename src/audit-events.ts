/**
 * The audit events that providers report. No member can hold a secret.
 *
 * @module
 */

/**
 * What a provider reports through {@link AcquireContext.emit}: a union on `type`, part of {@link CredentialEvent}.
 *
 * @group Events
 */
export type AuditEvent = {
  /** The issuer identifier of the authorization server, exactly as the server writes it. Absent: not known yet. */
  readonly issuer?: string
  /** The client identifier, shortened where it could contain a sentence. Absent: there is none yet. */
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
      /** The user is asked to log in. */
      readonly type: 'login_started'
      /** The requested scopes; none: the server decides. */
      readonly requested: readonly string[]
    }
  | {
      /** A login has ended. */
      readonly type: 'login_finished'
      /** Whether tokens were issued. */
      readonly succeeded: boolean
      /** The code of the error, if the login failed. */
      readonly code?: string
    }
  | {
      /** The MCP server names a different authorization server from the one that issued the current tokens. */
      readonly type: 'issuer_changed'
      /** The issuer of the current tokens. */
      readonly previousIssuer: string
    }
  | {
      /** Tokens were issued; after a renewal only when their scopes have changed. */
      readonly type: 'scopes_granted'
      /** The requested scopes; none: the server decided. */
      readonly requested: readonly string[]
      /** The granted scopes. */
      readonly granted: readonly string[]
      /** The scopes that were requested and not granted. */
      readonly missing: readonly string[]
    }
  | {
      /** The revocation of tokens was requested from their issuer (RFC 7009). */
      readonly type: 'revocation'
      /** Whether the issuer revoked them. If not, copies of them work until they expire. */
      readonly revoked: boolean
      /** The code or the class of the error, if there was one. */
      readonly code?: string
      /** Why they were not revoked, without any text from a server; absent when they were. */
      readonly reason?: string
    }
  | {
      /**
       * Another party may have used the refresh token: the issuer refused it although this client had not
       * used it. The revocation of all tokens of the login was requested (RFC 9700, section 4.14.2).
       */
      readonly type: 'refresh_reuse_suspected'
      /**
       * `server`: the response says so. `history`: the token had replaced an earlier one, and was refused while the
       * access token that came with it was valid.
       */
      readonly evidence: 'server' | 'history'
      /** Whether the issuer revoked them. */
      readonly revoked: boolean
    }
  | {
      /** A metadata document of a server was not used. */
      readonly type: 'document_refused'
      /** The metadata of the MCP server (RFC 9728), or of the authorization server (RFC 8414). */
      readonly document: 'resource_metadata' | 'server_metadata'
      /** The address of the document: origin and path. */
      readonly url: string
      /** The message of the error. */
      readonly reason: string
    }
  | {
      /** The option `allow` refused a step, so it was not taken. */
      readonly type: 'refused_by_policy'
      /** The step, as it was passed to the policy. */
      readonly step:
        | 'discovery'
        | 'registration'
        | 'authorization'
        | 'token_request'
        | 'revocation'
        | 'step_up'
      /** The origins that were neither contacted nor opened in a browser. */
      readonly origins: readonly string[]
      /** The scopes that were not requested; none: the server would have decided. */
      readonly requested: readonly string[]
      /** The message of the error. */
      readonly reason: string
    }
  | {
      /**
       * A login of a web application did not begin, or its callback was not accepted; the authorization code
       * was then not sent. When the state cannot be decrypted, the login is not known, and `resource` is
       * empty.
       */
      readonly type: 'login_refused'
      /** The step that failed: `beginLogin()` or `finishLogin()`. */
      readonly during: 'begin' | 'finish'
      /** The code of the error, such as `login_mismatch`. */
      readonly code: string
      /** The message of the error. */
      readonly reason: string
    }
)
