/**
 * Registered clients, and the records of dynamic registrations.
 *
 * @module
 */
import type { AcquireContext, CredentialRecord } from '../credential.ts'
import { RateWindow } from '../rate-window.ts'
import { type Bound, bind, openAt } from './bound-values.ts'
import { type AuthenticationMethod, isSecretMethod } from './client-auth.ts'

/** A client that is registered at an authorization server. */
export interface RegisteredClient {
  readonly clientId: string
  /** Bound to the authorization server of the registration. */
  readonly clientSecret: Bound | undefined
  /** How it authenticates; `undefined`: by the options. */
  readonly method: AuthenticationMethod | undefined
  /** Whether it registered itself (RFC 7591), and received its secret there. */
  readonly isDynamic: boolean
  /** When its secret expires, in milliseconds since the epoch; `undefined`: never. */
  readonly secretExpiresAt?: number | undefined
}

/** A registration as a server has just confirmed it. */
export interface NewRegistration {
  readonly client: RegisteredClient
  readonly redirectUri: string
  /** The means to manage the registration (RFC 7592, section 3). */
  readonly management: RegistrationManagement | undefined
}

/** The means to read, change and delete a registration. */
export interface RegistrationManagement {
  /** Bound to the authorization server that issued it. */
  readonly accessToken: Bound
  readonly uri: string
}

type Records = Pick<AcquireContext, 'records'>

/** Reads the registration at an issuer from the provider's records; `undefined`: none that fits. */
export async function storedRegistration(
  { records, now }: AcquireContext,
  issuer: string,
  redirectUri: string,
): Promise<RegisteredClient | undefined> {
  const record = await records.get(recordKey(issuer))
  if (record?.issuer !== issuer) return undefined
  const { clientId, redirectUri: registered } = record.data
  if (registered !== redirectUri || typeof clientId !== 'string') return undefined
  if (record.expiresAt !== undefined && record.expiresAt <= now()) return undefined
  return fromRecord(clientId, record)
}

/**
 * Returns the stored registration of a client; `undefined`: it did not register itself, or has a newer
 * registration.
 */
export async function registrationOf(
  { records }: AcquireContext,
  issuer: string,
  clientId: string,
): Promise<RegisteredClient | undefined> {
  const record = await records.get(recordKey(issuer))
  return record?.data['clientId'] === clientId ? fromRecord(clientId, record) : undefined
}

function fromRecord(clientId: string, record: CredentialRecord): RegisteredClient {
  const { clientSecret, method } = record.data
  return {
    clientId,
    clientSecret:
      typeof clientSecret === 'string' && record.issuer !== undefined
        ? bind('client secret', clientSecret, record.issuer)
        : undefined,
    method: isSecretMethod(method) ? method : undefined,
    isDynamic: true,
    secretExpiresAt: record.expiresAt,
  }
}

/** The redirect URI of the stored registration, so that a login can use the same one again. */
export async function registeredRedirectUri(
  { records }: AcquireContext,
  issuer: string,
): Promise<string | undefined> {
  const uri = (await records.get(recordKey(issuer)))?.data['redirectUri']
  return typeof uri === 'string' ? uri : undefined
}

/**
 * Returns the milliseconds until a further registration is allowed at an issuer: at most three in ten minutes
 * for one redirect URI. 0: now. They are counted in the record, which the processes and users of a store
 * share.
 */
export async function registrationPause(
  { records, now }: Pick<AcquireContext, 'records' | 'now'>,
  issuer: string,
  redirectUri: string,
): Promise<number> {
  const record = await records.get(recordKey(issuer))
  return registrations(record, redirectUri, now()).pauseMs(now())
}

/** The registrations that a record counts. */
function registrations(
  record: CredentialRecord | undefined,
  redirectUri: string,
  now: number,
): RateWindow {
  const { registeredAt, registeredFor } = record?.data ?? {}
  if (!Array.isArray(registeredAt) || registeredFor !== redirectUri) return new RateWindow()
  const times = registeredAt.filter((time) => typeof time === 'number')
  // The clock of another machine may be ahead.
  return new RateWindow(times.filter((time) => time <= now))
}

/**
 * Counts a registration that is about to be requested: the server may register a client even if the response
 * is lost.
 *
 * @returns A function that undoes the count, when nothing was registered.
 */
export async function countRegistration(
  { records, now }: Pick<AcquireContext, 'records' | 'now'>,
  issuer: string,
  redirectUri: string,
): Promise<() => Promise<void>> {
  const before = await records.get(recordKey(issuer))
  const counted = registrations(before, redirectUri, now())
  const write = () => {
    const { data, ...rest } = before ?? { version: 1, provider: 'registration', issuer, data: {} }
    const registeredAt = counted.recent(now())
    const counts = { registeredFor: redirectUri, registeredAt }
    return records.set(recordKey(issuer), { ...rest, data: { ...data, ...counts } })
  }
  counted.add(now())
  await write()
  return async () => {
    counted.undo()
    await (before === undefined ? records.delete(recordKey(issuer)) : write())
  }
}

/** Runs a task with exclusive access to the registration at the issuer, where the records can be locked. */
export function whileRegistering<T>(
  { records, signal }: Pick<AcquireContext, 'records' | 'signal'>,
  issuer: string,
  task: () => Promise<T>,
): Promise<T> {
  return records.lock === undefined ? task() : records.lock(recordKey(issuer), task, signal)
}

/**
 * Stores a registration under its issuer. One that replaces a dropped one is marked, so that it is not
 * dropped before it has worked once.
 */
export async function saveRegistration(
  { records, now }: Pick<AcquireContext, 'records' | 'now'>,
  issuer: string,
  { client, redirectUri, management }: NewRegistration,
): Promise<void> {
  const { clientId, clientSecret, method, secretExpiresAt } = client
  const before = await records.get(recordKey(issuer))
  const data = {
    clientId,
    redirectUri,
    method,
    clientSecret: openAt(clientSecret, issuer),
    managementToken: openAt(management?.accessToken, issuer),
    managementUri: management?.uri,
    isReplacement: before?.data['isDropped'] === true ? true : undefined,
    registeredFor: before?.data['registeredFor'],
    registeredAt: before?.data['registeredAt'],
  }
  await records.set(recordKey(issuer), {
    version: 1,
    provider: 'registration',
    issuer,
    obtainedAt: now(),
    ...(secretExpiresAt === undefined ? {} : { expiresAt: secretExpiresAt }),
    data: definedMembers(data),
  })
}

/** Records that a registration works, because a login with it has succeeded. */
export async function confirmRegistration(
  { records }: Records,
  issuer: string,
  clientId: string,
): Promise<void> {
  const record = await records.get(recordKey(issuer))
  if (record?.data['clientId'] !== clientId || record.data['isReplacement'] !== true) return
  const { isReplacement: _, ...data } = record.data
  await records.set(recordKey(issuer), { ...record, data })
}

/**
 * Drops a registration that the server may no longer know, so that the next login registers again.
 *
 * @returns `false` when the client did not register itself, or replaces one that was dropped and has not
 * worked yet: a further registration would not help.
 */
export async function dropRegistration(
  { records }: Records,
  issuer: string,
  clientId: string,
): Promise<boolean> {
  const record = await records.get(recordKey(issuer))
  if (record?.data['clientId'] !== clientId || record.data['isReplacement'] === true) return false
  await records.set(recordKey(issuer), emptied(record, { isDropped: true }))
  return true
}

/**
 * Removes the registration at an issuer.
 *
 * @returns The means to delete the registration; `true` when there are none, `false` when there was no
 * registration.
 */
export async function removeRegistration(
  { records }: Records,
  issuer: string,
): Promise<RegistrationManagement | boolean> {
  const record = await records.get(recordKey(issuer))
  if (record === undefined) return false
  await records.delete(recordKey(issuer))
  const { clientId, managementToken: accessToken, managementUri: uri } = record.data
  if (typeof accessToken === 'string' && typeof uri === 'string') {
    return { accessToken: bind('registration access token', accessToken, issuer), uri }
  }
  return typeof clientId === 'string'
}

/** Removes a registration that the server no longer knows, unless a newer one has replaced it. */
export async function forgetRegistration(
  { records }: AcquireContext,
  issuer: string,
  clientId: string,
): Promise<void> {
  const record = await records.get(recordKey(issuer))
  if (record?.data['clientId'] === clientId) await records.set(recordKey(issuer), emptied(record))
}

/** A record without its client, which still counts its registrations. */
function emptied(
  { version, provider, issuer, data }: CredentialRecord,
  more: Readonly<Record<string, unknown>> = {},
): CredentialRecord {
  const { redirectUri, registeredFor, registeredAt } = data
  return {
    version,
    provider,
    ...(issuer === undefined ? {} : { issuer }),
    data: { ...definedMembers({ redirectUri, registeredFor, registeredAt }), ...more },
  }
}

function recordKey(issuer: string): string {
  return `registration ${issuer}`
}

function definedMembers(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))
}
