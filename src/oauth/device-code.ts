/**
 * A person logs in on another device.
 *
 * @module
 */
import * as client from 'openid-client'
import type { CredentialProvider } from '../credential.ts'
import { ConfigurationError, LoginRequiredError } from '../errors.ts'
import { abortable } from '../waiting.ts'
import { unsupported } from './connection.ts'
import { checkEndpoint } from './endpoint.ts'
import { isPassing } from './error-mapping.ts'
import { checkOAuthOptions, type OAuthOptions, required } from './options.ts'
import { oauthProvider } from './provider.ts'

/**
 * Logs a person in on a device of theirs, for hosts without a browser. Later renewals use the refresh
 * token, without a person.
 *
 * @example
 * ```ts
 * import { authorizedFetch } from 'mcp-credentials'
 * import { deviceCode } from 'mcp-credentials/oauth'
 *
 * const fetch = authorizedFetch(
 *   deviceCode({
 *     clientId: 'terminal-agent',
 *     onUserCode: ({ userCode, verificationUri }) =>
 *       console.log(`Open ${verificationUri} and enter ${userCode}`),
 *   }),
 *   { resource: 'https://mcp.example.com/mcp' },
 * )
 * await fetch.login()
 * ```
 *
 * @throws `ConfigurationError` when an option is wrong. An acquisition throws
 * `LoginRequiredError` when the person refuses or the code runs out.
 * @see RFC 8628
 */
export function deviceCode(
  options: OAuthOptions & {
    /** The client identifier that the authorization server knows. */
    readonly clientId: string
    /** Shows the code and the address to the person. */
    readonly onUserCode: (login: {
      /** The code to type in. */
      readonly userCode: string
      /** Where to type it in. */
      readonly verificationUri: URL
      /** The same with the code in it, for a link or a QR code; where the server offers it. */
      readonly verificationUriComplete: URL | undefined
      /** Seconds until the code is void. */
      readonly expiresIn: number
    }) => void | Promise<void>
  },
): CredentialProvider {
  const name = 'deviceCode'
  checkOAuthOptions(name, options, ['onUserCode'])
  required(name, 'clientId', options.clientId, 'pass the identifier that the server knows')
  const { onUserCode } = options
  if (typeof onUserCode !== 'function') {
    throw new ConfigurationError(
      `${name}.onUserCode`,
      `${name}.onUserCode must be a function that shows the code to the person.`,
    )
  }
  return oauthProvider({
    name,
    options,
    interactive: true,
    offline: true,
    async run(session) {
      const { context, server } = session
      if (server.metadata.device_authorization_endpoint === undefined) {
        const remedy = 'Use authorizationCode(), where somebody has a browser.'
        throw unsupported(name, server, context, 'offers no login on another device', remedy)
      }
      const connection = await session.connect()
      const { configuration, proof } = connection
      const answer = await client.initiateDeviceAuthorization(configuration, {
        ...session.parameters,
      })
      const rules = {
        resource: context.resource,
        allowPrivateNetwork: options.allowPrivateNetwork ?? false,
      }
      const { verification_uri, verification_uri_complete, user_code, expires_in } = answer
      await onUserCode({
        userCode: user_code,
        verificationUri: checkEndpoint('verification_uri', verification_uri, rules),
        verificationUriComplete:
          verification_uri_complete === undefined
            ? undefined
            : checkEndpoint('verification_uri_complete', verification_uri_complete, rules),
        expiresIn: expires_in,
      })
      const { scope: _onlyOnce, ...parameters } = session.parameters
      const expired = AbortSignal.timeout(expires_in * 1000)
      const signal = AbortSignal.any([context.signal, expired])
      const poll = (interval: number): Promise<client.TokenEndpointResponse> =>
        client
          .pollDeviceAuthorizationGrant(configuration, { ...answer, interval }, parameters, {
            ...proof,
            signal,
          })
          .catch((error: unknown) => {
            // The person may be typing: a failure in passing slows the questions down (section 3.5).
            if (isPassing(error) && !signal.aborted) return poll(interval * 2)
            throw error
          })
      try {
        // The library looks at the signal between two questions only.
        return { response: await abortable(poll(answer.interval ?? 5), signal), connection }
      } catch (error) {
        if (!expired.aborted || context.signal.aborted) throw error
        throw new LoginRequiredError(
          'no_credential',
          `${name}: nobody entered the code within ${expires_in} s.`,
          {
            resource: context.resource,
            provider: name,
            remedy: 'Call `login()` for a new one.',
          },
        )
      }
    },
  })
}
