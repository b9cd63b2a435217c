/** An issuer whose grants can be used once, and which answers as its mode says. */
import {
  type AcquireContext,
  type Credential,
  CredentialError,
  type CredentialProvider,
  LoginRequiredError,
} from '../../src/index.ts'
import { checkApplied, checkRedemption, checkStart } from './invariants.ts'
import { checkForgotten, checkLogin } from './login-invariants.ts'
import {
  type Acquisition,
  type Client,
  type Grant,
  limitOf,
  type MadeCredential,
  nextOrder,
  note,
  type Oddity,
  type RevokeMode,
  type Token,
  tenantStateOf,
  type World,
} from './types.ts'

/** How long a user takes to log in. */
export const loginSeconds = 8

export function issuerFor(world: World, client: () => Client, tenant: string): CredentialProvider {
  const { interactive, scoped, stored } = world.config
  const provider: CredentialProvider = {
    name: tenant === '' ? 'issuer' : `issuer-${tenant}`,
    interactive,
    scoped,
    acquire: (context) => acquire(world, client(), tenant, context),
    revoke: (credential) => revoke(world, credential),
    forget: () => forget(world, client(), tenant),
  }
  if (!stored) return provider
  return {
    ...provider,
    restore(record) {
      const token = world.tokens.get(String(record.data['token']))
      if (token === undefined) return undefined
      tenantStateOf(client(), tenant).restored = token
      note(world, `${client().name}: ${token.name} is restored`)
      return credentialOf(world, client(), token)
    },
  }
}

async function acquire(
  world: World,
  client: Client,
  tenant: string,
  context: AcquireContext,
): Promise<Credential> {
  const { issuer, time } = world
  const acquisition: Acquisition = {
    client,
    tenant,
    order: nextOrder(world),
    at: time.elapsed(),
    counted: time.counted(),
    reason: context.reason,
    scope: context.scope,
    interactive: context.interactive,
    retryAfter: issuer.kind === 'fails' ? issuer.retryAfter : undefined,
    state: 'open',
    retryable: true,
    settledOrder: Infinity,
    settledAt: Infinity,
    committed: false,
    answered: false,
    reportedOrder: Infinity,
    token: undefined,
  }
  note(
    world,
    `${client.name}: acquire ${tenant} because ${context.reason}${context.interactive ? '' : ' in the background'}, scope ${context.scope?.slice(0, 40)}`,
  )
  checkStart(world, acquisition, context)
  tenantStateOf(client, tenant).acquisitions.push(acquisition)
  const settle = (state: 'delivered' | 'failed') => {
    acquisition.state = state
    acquisition.settledOrder = nextOrder(world)
    acquisition.settledAt = time.elapsed()
  }
  try {
    const credential = await answer(world, acquisition, context)
    settle(acquisition.token === undefined || acquisition.token.isDoubtful ? 'failed' : 'delivered')
    const made = acquisition.token
    if (made !== undefined) {
      acquisition.answered = !made.isDoubtful
      tenantStateOf(client, tenant).delivered = made
      made.isLate = typeof made.expiresAt === 'number' && made.expiresAt <= time.wall()
    }
    note(world, `${client.name}: gets ${acquisition.token?.name ?? 'an invalid credential'}`)
    return credential
  } catch (error) {
    acquisition.retryable = (error as { retryable?: unknown } | undefined)?.retryable !== false
    settle(acquisition.token === undefined ? 'failed' : 'delivered')
    const code = (error as { code?: unknown } | undefined)?.code
    note(world, `${client.name}: acquire fails with ${code ?? typeof error}`)
    throw error
  }
}

async function answer(
  world: World,
  acquisition: Acquisition,
  context: AcquireContext,
): Promise<Credential> {
  const mode = world.issuer
  const { config } = world
  if (mode.kind === 'slow start') await wait(world, mode.seconds, context)
  if (mode.kind === 'fails') {
    const hint = mode.retryAfter === undefined ? {} : { retryAfter: mode.retryAfter }
    throw new CredentialError('server_error', 'down', { retryable: true, ...hint })
  }
  if (mode.kind === 'final') throw new CredentialError('invalid_client', 'no')
  if (mode.kind === 'login required') throw new LoginRequiredError('grant_rejected', 'over')
  if (mode.kind === 'throws') throw thrown(mode.what)
  if (mode.kind === 'no apply') return { expiresAt: context.now() + 60_000 } as Credential
  if (mode.kind === 'never' && !mode.committed) return forever(world, context)
  const lateSeconds = limitOf(world) / 1000 + 3
  if (mode.kind === 'too late' && !mode.committed) await wait(world, lateSeconds, context)

  const previous = (context.previous as MadeCredential | undefined)?.token
  const grant = previous?.grant
  const isUsable = grant !== undefined && !grant.refused
  if (isUsable) {
    await context.commit()
    redeem(world, acquisition, grant, context.signal)
  } else if (grant !== undefined && !context.interactive) {
    throw new LoginRequiredError('grant_rejected', 'the grant was refused')
  } else if (config.interactive) {
    if (!context.interactive) throw new LoginRequiredError('no_credential', 'nobody is there')
    announceLogin(world, acquisition, context)
    note(world, `${acquisition.client.name}: a user logs in`)
    await wait(world, loginSeconds, context)
  }
  const next = issue(world, acquisition, context, mode.kind === 'odd' ? mode.what : undefined)
  if (mode.kind === 'lost') throw new TypeError('fetch failed')
  if (mode.kind === 'salvage') {
    context.salvage(credentialOf(world, acquisition.client, next))
    // The old grant must not be sent again, so to the invariants this answer has come.
    acquisition.token = next
    throw new CredentialError('invalid_response', 'half an answer', { retryable: true })
  }
  if (mode.kind === 'never') return forever(world, context)
  if (mode.kind === 'slow') await world.time.sleep(mode.seconds * 1000)
  if (mode.kind === 'too late') await world.time.sleep(lateSeconds * 1000)
  acquisition.token = next
  return credentialOf(world, acquisition.client, next)
}

function redeem(world: World, acquisition: Acquisition, grant: Grant, signal: AbortSignal): void {
  note(world, `${acquisition.client.name}: ${grant.name} is redeemed`)
  checkRedemption(world, acquisition, grant, signal)
  acquisition.committed = true
  const isKnownUsed = grant.redeemedBy.some(({ state }) => state === 'delivered')
  grant.redeemedBy.push(acquisition)
  if (!isKnownUsed) return
  grant.refused = true
  throw new LoginRequiredError('grant_rejected', 'the grant was used before')
}

function issue(
  world: World,
  acquisition: Acquisition,
  context: AcquireContext,
  oddity: Oddity | undefined,
): Token {
  const number = world.tokens.size + 1
  const now = context.now()
  const { config, issuer } = world
  const { life } = config
  const asked = world.grants === 'asked' ? (context.scope ?? 'read') : 'read'
  const token: Token & { oddity: Oddity | undefined; obtainedAt: number } = {
    name: `token-${number}`,
    tenant: acquisition.tenant,
    scope: world.grants === 'nothing' ? 'none' : asked,
    // Without one, each renewal takes a login.
    grant: {
      name: `grant-${number}`,
      redeemedBy: [],
      refused: config.interactive && issuer.kind === 'no grant',
    },
    acquisition,
    order: nextOrder(world),
    expiresAt: expiryOf(oddity, now, life),
    isDoubtful: oddity !== undefined,
    isLate: false,
    rejectedAt: Infinity,
    diesAt: world.time.truth() + (oddity === undefined ? (life ?? Infinity) : 60) * 1000,
    revoked: false,
    revocationAsked: false,
    storedOrder: Infinity,
    oddity,
    obtainedAt: now,
  }
  world.tokens.set(token.name, token)
  return token
}

function expiryOf(oddity: Oddity | undefined, now: number, life: number | undefined): unknown {
  if (oddity === 'expiresAt NaN') return Number.NaN
  if (oddity === 'expiresAt in seconds') return Math.round(now / 1000) + 3600
  if (oddity === 'expiresAt text') return new Date(now + 3_600_000).toISOString()
  if (oddity === 'refreshAt in the past' || oddity === 'refreshAt NaN') return undefined
  if (oddity === 'expired') return now - 1000
  return life === undefined ? undefined : now + life * 1000
}

/** What a provider hands out for a token: an object for each client, as in processes of their own. */
export function credentialOf(world: World, client: Client, token: Token): MadeCredential {
  const { oddity, obtainedAt } = token as { oddity?: Oddity; obtainedAt?: number }
  const now = world.time.wall()
  const times = {
    ...(token.expiresAt === undefined ? {} : { expiresAt: token.expiresAt as number }),
    ...(oddity === 'refreshAt in the past' ? { refreshAt: now - 5000 } : {}),
    ...(oddity === 'refreshAt NaN' ? { refreshAt: Number.NaN } : {}),
    obtainedAt: oddity === 'obtainedAt ahead' ? now + 600_000 : (obtainedAt ?? now),
  }
  return {
    token,
    ...times,
    ...(token.scope === undefined ? {} : { scope: token.scope }),
    record: {
      version: 1,
      provider: token.tenant === '' ? 'issuer' : `issuer-${token.tenant}`,
      ...(typeof times.expiresAt === 'number' ? { expiresAt: times.expiresAt } : {}),
      obtainedAt: times.obtainedAt,
      data: { token: token.name },
    },
    apply({ headers, url }) {
      if (url.pathname !== '/moved') checkApplied(world, client, token, headers)
      const put = () => headers.set('Authorization', `Bearer ${token.name}`)
      if (world.applySeconds === 0 || world.config.form === 'manager') return put()
      world.applying += 1
      return world.time.sleep(world.applySeconds * 1000).then(() => {
        world.applying -= 1
        put()
      })
    },
  }
}

/** A step-up is bounded by itself. */
function announceLogin(world: World, acquisition: Acquisition, context: AcquireContext): void {
  if (context.reason === 'insufficient_scope') return
  context.announceLogin?.()
  checkLogin(world, acquisition)
}

function forget(world: World, client: Client, tenant: string): Promise<boolean> {
  note(world, `${client.name}: forgets its registration ${tenant}: ${world.revoke}`)
  checkForgotten(world, client, tenant)
  return answerTo(world.revoke)
}

function revoke(world: World, credential: Credential): Promise<boolean> {
  const { token } = credential as MadeCredential
  note(world, `revoke ${token.name}: ${world.revoke}`)
  token.revocationAsked = true
  if (world.revoke === 'ok') {
    token.revoked = true
    token.grant.refused = true
  }
  return answerTo(world.revoke)
}

function answerTo(mode: RevokeMode): Promise<boolean> {
  if (mode === 'throws') throw new TypeError('it threw')
  if (mode === 'rejects') return Promise.reject(new TypeError('it failed'))
  if (mode === 'never') return new Promise(() => {})
  return Promise.resolve(mode === 'ok')
}

/** Waits; unless the signal aborts and the provider listens to it. */
async function wait(world: World, seconds: number, { signal }: AcquireContext): Promise<void> {
  const slept = world.time.sleep(seconds * 1000)
  if (world.config.ignoresSignal) return slept
  await Promise.race([slept, aborted(signal)])
}

function forever(world: World, { signal }: AcquireContext): Promise<never> {
  return world.config.ignoresSignal ? new Promise(() => {}) : aborted(signal)
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

function thrown(what: 'text' | 'nothing' | 'type error'): unknown {
  if (what === 'text') return 'a text'
  return what === 'nothing' ? undefined : new TypeError('broken provider')
}
