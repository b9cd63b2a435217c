/**
 * Short sequences that lead to states which single operations in random order reach too rarely. Each is an
 * ordinary part of a story: whatever happens before, between two of them and afterwards is still random.
 */
import fc from 'fast-check'
import type { Operation } from './operations.ts'
import type { IssuerMode } from './types.ts'

type Sequence = readonly Operation[]

const issuer = (mode: IssuerMode): Operation => ({ do: 'issuer', mode })
const prompt = issuer({ kind: 'prompt' })
const slow = (seconds: number): Operation => issuer({ kind: 'slow', seconds })
const wait = (seconds: number): Operation => ({ do: 'advance', seconds })
const logout = (tenant: string, registration = false): Operation => ({
  do: 'logout',
  tenant,
  peer: false,
  registration,
})
const healthyServer: Operation = { do: 'server', mode: { kind: 'ok' } }
const revoked: Operation = { do: 'server revokes' }

function request(tenant: string, options: Partial<Operation & { do: 'request' }> = {}): Operation {
  const usual = { abort: 'never', streamed: false, wants: undefined, shared: false } as const
  return { do: 'request', tenant, ...usual, ...options }
}

const wider = (tenant: string) => request(tenant, { wants: 'read write' })

/** A caller leaves before the grant is sent, and another one comes. */
const leavesBeforeCommit = (tenant: string): Sequence => [
  request(tenant),
  revoked,
  issuer({ kind: 'slow start', seconds: 2 }),
  request(tenant, { abort: 'later' }),
  wait(0.3),
  { do: 'abort' },
  request(tenant),
  wait(6),
]

/** A read of the store ends after the logout that began later. */
const readDuringLogout = (tenant: string): Sequence => [
  { do: 'login', tenant, abortable: false, peer: true },
  wait(12),
  { do: 'store', mode: 'slow once' },
  request(tenant),
  logout(tenant),
  wait(12),
  request(tenant),
]

/** A logout does not wait for the answer to a grant that was sent. */
const logoutDuringRenewal = (tenant: string, seconds: number): Sequence => [
  request(tenant),
  revoked,
  seconds > 25 ? issuer({ kind: 'too late', committed: true }) : slow(seconds),
  request(tenant),
  wait(seconds > 25 ? 31 : 0.3),
  logout(tenant),
  wait(6),
  prompt,
  request(tenant),
  wait(31),
]

/** The same while a credential is put on a request, which then must not be sent. */
const logoutDuringApply = (tenant: string): Sequence => [
  healthyServer,
  request(tenant),
  { do: 'apply', seconds: 3 },
  request(tenant),
  wait(0.3),
  logout(tenant),
  wait(6),
  { do: 'apply', seconds: 0 },
]

/** Callers give up while a logout takes long. */
const leavesDuringLogout = (tenant: string): Sequence => [
  request(tenant),
  { do: 'revocation', mode: 'never' },
  logout(tenant),
  { do: 'credential', tenant, abortable: true, peer: false },
  request(tenant, { abort: 'later' }),
  wait(1),
  { do: 'abort' },
  { do: 'abort' },
  wait(12),
]

/** A renewal brings fewer scopes than the step-up before it, and they are needed again. */
const narrowed = (tenant: string): Sequence => [
  { do: 'login', tenant, abortable: false, peer: false },
  healthyServer,
  wider(tenant),
  wait(3),
  { do: 'grants', mode: 'less' },
  revoked,
  request(tenant),
  wait(3),
  { do: 'grants', mode: 'asked' },
  wider(tenant),
]

/** A renewal becomes due while a step-up is under way. */
const renewalDuringStepUp = (tenant: string): Sequence => [
  healthyServer,
  request(tenant),
  { do: 'approach renewal', tenant },
  slow(25),
  wider(tenant),
  wait(12),
  request(tenant),
  wait(31),
]

/** A step-up is needed while a renewal is under way. */
const stepUpDuringRenewal = (tenant: string): Sequence => [
  healthyServer,
  request(tenant),
  { do: 'approach renewal', tenant },
  wait(3),
  slow(8),
  request(tenant),
  wider(tenant),
  wait(12),
]

/** A person has to log in again, and declines at first. */
const declined = (tenant: string): Sequence => [
  revoked,
  healthyServer,
  issuer({ kind: 'login required' }),
  request(tenant),
  wait(3),
  prompt,
  { do: 'login', tenant, abortable: false, peer: false },
  wait(12),
]

/** Tenants take turns, so that one is evicted. */
const evicted = (): Sequence => [
  request('a'),
  wait(3),
  request('b'),
  wait(3),
  request('c'),
  wait(3),
]

/** No login lasts: a server refuses each token, or each ends soon, and none can be renewed without the user. */
const loginsEnd = (tenant: string, why: 'rejected' | 'expired' | 'renewed'): Sequence => [
  healthyServer,
  issuer({ kind: 'no grant' }),
  ...Array.from(
    { length: 7 },
    (): Sequence => [
      why === 'renewed' ? { do: 'renew', tenant, abortable: false, peer: false } : request(tenant),
      wait(12),
      ...(why === 'rejected' ? [revoked] : []),
      ...(why === 'expired' ? [wait(61)] : []),
    ],
  ).flat(),
  prompt,
]

/** Two ask for a logout at the same time, and one of them wants the registration to be dropped too. */
const logoutsMeet = (tenant: string, isFirst: boolean): Sequence => [
  request(tenant),
  wait(12),
  logout(tenant, isFirst),
  logout(tenant, !isFirst),
  wait(12),
  request(tenant),
]

const tenant = fc.constantFrom('a', 'b', 'c')

export const situation: fc.Arbitrary<Sequence> = fc.oneof(
  tenant.map(leavesBeforeCommit),
  tenant.map(readDuringLogout),
  fc
    .tuple(tenant, fc.constantFrom(8, 25, 33))
    .map(([name, time]) => logoutDuringRenewal(name, time)),
  tenant.map(logoutDuringApply),
  tenant.map(leavesDuringLogout),
  tenant.map(narrowed),
  tenant.map(renewalDuringStepUp),
  tenant.map(stepUpDuringRenewal),
  tenant.map(declined),
  fc
    .tuple(tenant, fc.constantFrom('rejected' as const, 'expired' as const, 'renewed' as const))
    .map(([name, why]) => loginsEnd(name, why)),
  fc.tuple(tenant, fc.boolean()).map(([name, isFirst]) => logoutsMeet(name, isFirst)),
  fc.constant(evicted()),
)
