/**
 * How often a user is asked to log in because the MCP server named another authorization server.
 *
 * @module
 */
import type { AcquireContext } from '../credential.ts'
import { DiscoveryError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'
import { RateWindow } from '../rate-window.ts'

interface History {
  /** The authorization server that was used last. */
  issuer: string
  /** The logins that changes have led to. */
  logins: RateWindow
}

/** The authorization servers that one provider has used, for each MCP server. */
export class IssuerChanges {
  readonly #histories = new Map<string, History>()

  /** The authorization server that was used last; `undefined`: none yet. */
  last({ resource }: Pick<AcquireContext, 'resource'>): string | undefined {
    return this.#histories.get(resource.href)?.issuer
  }

  /** Notes which authorization server is used. */
  note({ resource }: Pick<AcquireContext, 'resource'>, issuer: string): void {
    const logins = this.#histories.get(resource.href)?.logins ?? new RateWindow()
    this.#histories.set(resource.href, { issuer, logins })
  }

  /**
   * Announces a login.
   *
   * @param before - The issuer of the tokens before it.
   * @returns Whether the MCP server has named another authorization server.
   * @throws `DiscoveryError` when the MCP server has named another authorization server, and that has led to
   * three logins within ten minutes already, whoever asked for them.
   */
  beginLogin(
    context: Pick<AcquireContext, 'resource' | 'now'>,
    issuer: string,
    before: string | undefined,
  ): boolean {
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
    return hasMoved
  }
}

function tooMany(resource: URL, waitMs: number): DiscoveryError {
  return new DiscoveryError(
    `${resourceLabel(resource)} has named another authorization server again; that has led to three logins within ten minutes already.`,
    {
      resource,
      retryAfter: Math.ceil(waitMs / 1000),
      remedy: 'Nobody was asked to log in. Set `issuer` to the right one.',
    },
  )
}
