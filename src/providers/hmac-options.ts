/**
 * The options of {@link hmac}.
 *
 * @module
 */
import type { Secret } from '../credential.ts'

/**
 * How {@link hmac} signs: with a named scheme, or with a custom message.
 *
 * @group Signatures and signed tokens
 */
export type HmacOptions = {
  /** The shared secret. A source is read again after a 401, so that a rotated secret is picked up. */
  readonly secret: Secret
  /**
   * The encoding of the secret. Default `utf8`: its characters are the key; `base64` for
   * `standard-webhooks`.
   */
  readonly secretEncoding?: 'utf8' | 'hex' | 'base64'
  /** The hash function of the signature. Default `sha256`. */
  readonly hash?: 'sha256' | 'sha384' | 'sha512'
  /**
   * The encoding of the signature; `hex` is in lower case, `base64url` has no padding. Default `hex`, or
   * `base64` for `standard-webhooks`.
   */
  readonly encoding?: 'hex' | 'base64' | 'base64url'
  /** The text before the signature, such as `sha256=`. Default: nothing, or `v1,` for `standard-webhooks`. */
  readonly prefix?: string
  /** The header of the signature. Default `X-Signature`, or `webhook-signature`. */
  readonly signatureHeader?: string
} & (
  | {
      /**
       * What is signed, and the defaults of everything else:
       *
       * - `timestamp-body`: `X-Timestamp`, and `X-Signature` over `{timestamp}.{body}`, SHA-256 in hex.
       * - `method-path-body`: the same headers, over
       *   `{method}\n{path}\n{query}\n{timestamp}\n{body}`, each on a separate line.
       *
       * Default `timestamp-body`.
       */
      readonly scheme?: 'timestamp-body' | 'method-path-body'
      /** The header of the time, in seconds since the epoch. Default `X-Timestamp`. */
      readonly timestampHeader?: string
      /** Not together with `scheme`. */
      readonly message?: never
      /** These schemes have no nonce. */
      readonly nonceHeader?: never
    }
  | {
      /**
       * `webhook-id`, `webhook-timestamp`, and `webhook-signature` with `v1,` and base64 over
       * `{nonce}.{timestamp}.{body}`; the secret is base64 and may begin with `whsec_`.
       *
       * @see https://www.standardwebhooks.com
       */
      readonly scheme: 'standard-webhooks'
      /** The header of the time, in seconds since the epoch. Default `webhook-timestamp`. */
      readonly timestampHeader?: string
      /** The header of the nonce: 128 random bits, fresh for each attempt. Default `webhook-id`. */
      readonly nonceHeader?: string
      /** Not together with `scheme`. */
      readonly message?: never
    }
  | {
      /**
       * What is signed: a template, or a function. Text is encoded as UTF-8, and the parts of an array
       * are joined.
       *
       * The placeholders are `{method}`, `{host}`, `{path}`, `{query}`, `{timestamp}`, `{nonce}`,
       * `{header:NAME}`, `{body}` and `{body-sha256}`. A template must contain one of the last two,
       * and the time and the nonce if they are sent. The message of a function is not checked.
       */
      readonly message:
        | string
        | ((parts: {
            /** The HTTP method, in upper case. */
            readonly method: string
            /** The host, with the port unless it is the default one. */
            readonly host: string
            /** The path as it is sent, percent-encoded. */
            readonly path: string
            /** The query as it is sent, without the question mark; empty when there is none. */
            readonly query: string
            /** Seconds since the epoch, in decimal, as in the timestamp header. */
            readonly timestamp: string
            /** The value of the nonce header: 32 hex digits; empty without `nonceHeader`. */
            readonly nonce: string
            /** The exact bytes of the body; none when there is no body. */
            readonly body: Uint8Array
            /** The SHA-256 of the body in lower-case hex, whatever the signature's own hash is. */
            readonly bodySha256: string
            /** The value of a request header; empty when it is not sent. */
            header(name: string): string
          }) => string | Uint8Array | readonly (string | Uint8Array)[])
      /**
       * The header of the time, in seconds since the epoch. Default `X-Timestamp`; `false`: none, for
       * servers that sign no time.
       */
      readonly timestampHeader?: string | false
      /** The header of a nonce: 128 random bits, fresh for each attempt. Default: none. */
      readonly nonceHeader?: string
      /** Not together with `message`. */
      readonly scheme?: never
    }
) &
  (
    | {
        /** Identifies the secret to the server. */
        readonly keyId: Secret
        /** The header of `keyId`. Default `X-Key-Id`. */
        readonly keyIdHeader?: string
      }
    | {
        /** Not sent. */
        readonly keyId?: never
        /** Only together with `keyId`. */
        readonly keyIdHeader?: never
      }
  )

type Option<Name extends keyof HmacOptions> = NonNullable<HmacOptions[Name]>

/** A named set of defaults. */
export type HmacScheme = Option<'scheme'>
/** The hash function of the signature. */
export type HmacHash = Option<'hash'>
/** The encoding of the signature. */
export type HmacEncoding = Option<'encoding'>
/** The encoding of the secret. */
export type SecretEncoding = Option<'secretEncoding'>
/** Makes the message to be signed. */
export type HmacMessage = Exclude<Option<'message'>, string>
/** The parts of a request that a message can contain. */
export type HmacParts = Parameters<HmacMessage>[0]
/** A piece of a message. */
export type HmacChunk = string | Uint8Array
