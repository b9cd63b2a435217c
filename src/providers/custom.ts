/**
 * A custom provider.
 *
 * @module
 */
import type { AcquireContext, Credential, CredentialProvider } from '../credential.ts'
import { ConfigurationError } from '../errors.ts'
import { checkOptions } from '../options.ts'

/**
 * Makes a provider from one function.
 *
 * @throws {@link ConfigurationError} when `acquire` is not a function.
 *
 * @example
 * ```ts
 * import { custom } from 'mcp-credentials'
 *
 * declare function readFromVault(signal: AbortSignal): Promise<{ token: string; seconds: number }>
 *
 * const provider = custom({
 *   async acquire({ signal, now }) {
 *     const { token, seconds } = await readFromVault(signal)
 *     return {
 *       expiresAt: now() + seconds * 1000,
 *       apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`),
 *     }
 *   },
 * })
 * ```
 * @group Providers of your own
 */
export function custom(options: {
  /** Its name in events and errors. Default `custom`. */
  readonly name?: string
  /** Returns a credential; called again before it expires and after the server refuses it. */
  readonly acquire: (context: AcquireContext) => Credential | Promise<Credential>
}): CredentialProvider {
  checkOptions('custom', options, ['name', 'acquire'])
  const { acquire } = options
  if (typeof acquire !== 'function') {
    throw new ConfigurationError(
      'custom.acquire',
      'custom.acquire must be a function that returns a credential.',
    )
  }
  return { name: options.name ?? 'custom', acquire: async (context) => acquire(context) }
}
