import { type Credential, CredentialError } from '../../src/index.ts'
import type { TransportPort } from '../../src/manager/transport-port.ts'

/** A manager as the layer that sends requests sees it, whose state a test sets. */
export interface FakePort extends TransportPort {
  session: number
  maxResends: number
  interactive: boolean
  wantsChallenge: boolean
  /** Ends it, as closing a manager does. */
  close(): void
  /** What was reported, in order. */
  readonly reported: string[]
}

/** @param next - Makes the credential of a session; called whenever one is asked for. */
export function fakePort(
  next: (session: number) => Credential | Promise<Credential>,
  overrides: Partial<TransportPort> = {},
): FakePort {
  const closed = new AbortController()
  const reported: string[] = []
  return {
    resource: new URL('https://mcp.example.com/mcp'),
    provider: 'fake',
    held: undefined,
    alternatives: 1,
    maxResends: 1,
    interactive: false,
    session: 0,
    clockOffset: 0,
    wantsChallenge: false,
    acquiring: undefined,
    unsaved: false,
    closing: closed.signal,
    ending: closed.signal,
    reported,
    close: () => closed.abort(new CredentialError('closed', 'The manager is closed.')),
    current: () => undefined,
    async credential() {
      return next(this.session)
    },
    restored: async () => false,
    challenged: () => void reported.push('challenged'),
    refused: () => false,
    accepted: () => void reported.push('accepted'),
    rejected: () => {
      reported.push('rejected')
      return true
    },
    stepUp: async () => undefined,
    observeClock: () => false,
    detachAcquisition: () => {},
    pauseRenewals: () => {},
    resumeRenewals: () => {},
    flush: async () => {},
    emit: ({ type }) => void reported.push(type),
    ...overrides,
  }
}
