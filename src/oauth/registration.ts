/**
 * Clients as authorization servers know them, and the records of those that registered themselves.
 *
 * @module
 */
import type { AcquireContext, CredentialRecord } from '../credential.ts'
import { RateWindow } from '../rate-window.ts'
import { type Bound, bind, openAt } from './bound-values.ts'
import { type AuthenticationMethod, isSecretMethod } from './client-auth.ts'

/** A client as the authorization server knows it. */
export interface RegisteredClient {
  readonly clientId: string
  /** Bound to the authorization server that it was registered at. */
  readonly clientSecret: Bound | undefined
  /** How it authenticates; `undefined`: by what the options say. */
  readonly method: AuthenticationMethod | undefined
  /** It registered itself (RFC 7591), and was given its secret then. */
  readonly isDynamic: boolean
  /** When its secret ends, in milliseconds since the epoch; `undefined`: never. */
  readonly secretExpiresAt?: number | undefined
}

/** A registration as a server has just confirmed it. */
export interface NewRegistration {
  readonly client: RegisteredClient
  readonly redirectUri: string
  /** What the server gave to manage the registration with (RFC 7592, section 3). */
  readonly management: RegistrationManagement | undefined
}

/** What a registration is read, changed and deleted with. */
export interface RegistrationManagement {
  /** Bound to the authorization server that gave it. */
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

/** Returns what is stored of a client's registration; `undefined`: it did not register itself, or anew. */
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
 * Milliseconds for which no further registration may take place at an issuer: three in ten minutes are enough for
 * one redirect URI. 0: now. They are counted in the record, which the processes and users of a store share.
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
  const { registeredAt, redirectUri: before } = record?.data ?? {}
  if (!Array.isArray(registeredAt) || before !== redirectUri) return new RateWindow()
  const times = registeredAt.filter((time) => typeof time === 'number')
  // The clock of another machine may be ahead.
  return new RateWindow(times.filter((time) => time <= now))
}

/** When clients were registered lately, together with a registration now. */
function withOneMore(
  record: CredentialRecord | undefined,
  redirectUri: string,
  now: number,
): readonly number[] {
  const counted = registrations(record, redirectUri, now)
  counted.add(now)
  return counted.recent(now)
}

/** Counts a registration that cannot be used, and is not kept. */
export async function noteUnusableRegistration(
  { records, now }: Pick<AcquireContext, 'records' | 'now'>,
  issuer: string,
  redirectUri: string,
): Promise<void> {
  const before = await records.get(recordKey(issuer))
  const data = { redirectUri, registeredAt: withOneMore(before, redirectUri, now()) }
  await records.set(recordKey(issuer), { version: 1, provider: 'registration', issuer, data })
}

/**
 * Stores a registration under its issuer. One that replaces a dropped one is marked, so that it is not dropped
 * in its turn before it has worked once.
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
    registeredAt: withOneMore(before, redirectUri, now()),
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

/** Notes that a registration works, because a login with it has succeeded. */
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
 * Drops a registration that the server seems to have forgotten, so that the next login registers anew.
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
 * Forgets what is known of the registration at an issuer.
 *
 * @returns What to delete the registration with; `true` when there is nothing to do so, `false` when there was no
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

/** Gives up a registration that the server no longer knows, unless a newer one has replaced it. */
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
  const { redirectUri, registeredAt } = data
  return {
    version,
    provider,
    ...(issuer === undefined ? {} : { issuer }),
    data: { ...definedMembers({ redirectUri, registeredAt }), ...more },
  }
}

function recordKey(issuer: string): string {
  return `registration ${issuer}`
}

function definedMembers(data: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== undefined))
}
