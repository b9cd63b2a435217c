/**
 * Limits how often a user is asked to log in because the MCP server names a different authorization server.
 *
 * @module
 */
import type { AcquireContext } from '../credential.ts'
import { DiscoveryError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { RateWindow } from '../rate-window.ts'

interface History {
  /** The last authorization server. */
  issuer: string
  /** The logins that changes have led to. */
  logins: RateWindow
}

/** The authorization servers that one provider has used, for each MCP server. */
export class IssuerChanges {
  readonly #histories = new Map<string, History>()

  /** The last authorization server; `undefined`: none yet. */
  last({ resource }: Pick<AcquireContext, 'resource'>): string | undefined {
    return this.#histories.get(resource.href)?.issuer
  }

  /** Records the authorization server in use. */
  note({ resource }: Pick<AcquireContext, 'resource'>, issuer: string): void {
    const logins = this.#histories.get(resource.href)?.logins ?? new RateWindow()
    this.#histories.set(resource.href, { issuer, logins })
  }

  /**
   * Announces a login.
   *
   * @param before - The issuer of the tokens before it.
   * @throws `DiscoveryError` when the MCP server names a different authorization server, and that has already
   * led to three logins within ten minutes, including those by `login()`.
   */
  beginLogin(
    context: Pick<AcquireContext, 'resource' | 'now'>,
    issuer: string,
    before: string | undefined,
  ): void {
    const { resource } = context
    const known = this.last(context) ?? before
    const hasMoved = known !== undefined && known !== issuer
    if (hasMoved) {
      const now = context.now()
      const logins = this.#histories.get(resource.href)?.logins ?? new RateWindow()
      const pauseMs = logins.pauseMs(now)
      if (pauseMs > 0) throw tooMany(resource, pauseMs)
      logins.add(now)
      this.#histories.set(resource.href, { issuer: known, logins })
    }
    this.note(context, issuer)
  }
}

function tooMany(resource: URL, waitMs: number): DiscoveryError {
  return new DiscoveryError(
    `${resourceLabel(resource)} again names a different authorization server, which has already led to three logins within ten minutes.`,
    {
      resource,
      retryAfter: Math.ceil(waitMs / 1000),
      remedy: 'The user was not asked to log in. Set `issuer` to the correct one.',
    },
  )
}
