import { describe, expect, test } from 'vitest'
import {
  type CredentialProvider,
  type CredentialRecord,
  type CredentialStore,
  StoreError,
  TokenManager,
} from '../../src/index.ts'
import { transportPortOf } from '../../src/manager/token-manager.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { settle, testClock } from '../support/clock.ts'
import { testIssuer } from '../support/issuer.ts'

const resource = 'https://mcp.example.com/mcp'
const noOptions = { challenges: [], signal: undefined }

/** A provider whose tokens are stored, and which grants the configured scopes. */
function storedProvider(granted: () => string, now: () => number) {
  const asked: (string | undefined)[] = []
  const credentialOf = (record: CredentialRecord) => ({
    expiresAt: record.expiresAt ?? 0,
    scope: String(record.data['scope']),
    record,
    apply: () => {},
  })
  const provider: CredentialProvider = {
    name: 'stored',
    scoped: true,
    async acquire({ scope }) {
      asked.push(scope)
      const times = { obtainedAt: now(), expiresAt: now() + 3_600_000 }
      return credentialOf({
        version: 1,
        provider: 'stored',
        data: { scope: granted() },
        ...times,
      })
    },
    restore: credentialOf,
  }
  return { provider, asked }
}

/** A manager whose credential `narrow` has the scope `read`. */
async function readOnly() {
  const clock = testClock()
  const issuer = testIssuer({ scoped: true })
  const manager = new TokenManager(issuer.provider, { resource, now: clock.now })
  const port = transportPortOf(manager)
  const acquiring = manager.credential()
  await settle()
  issuer.grant(3600, { scope: 'read' })
  const narrow = await acquiring
  return { clock, issuer, manager, port, narrow }
}

describe('a step-up', () => {
  test("that fails because of the store's configuration is made again when the store works", async () => {
    const clock = testClock()
    const inner = memoryStore()
    let isMissing = false
    const store: CredentialStore = {
      ...inner,
      async lock(key, task, signal) {
        if (isMissing) throw new StoreError('open', 'The table is missing.', { retryAfter: 1 })
        return inner.lock(key, task, signal)
      },
    }
    const { provider } = storedProvider(() => 'read write', clock.now)
    const manager = new TokenManager(provider, { resource, store, now: clock.now })
    const narrow = { ...(await manager.credential()), scope: 'read' }
    const port = transportPortOf(manager)
    isMissing = true
    await expect(port.stepUp(narrow, 'admin', noOptions)).rejects.toThrow('table is missing')
    isMissing = false
    expect(await port.stepUp(narrow, 'admin', noOptions)).toBeDefined()
  })

  test('is made again immediately after another process has stored a credential with fewer scopes', async () => {
    const clock = testClock()
    const store = memoryStore()
    let granted = 'read'
    const { provider, asked } = storedProvider(() => granted, clock.now)
    const options = { resource, store, now: clock.now }
    const [one, peer] = [new TokenManager(provider, options), new TokenManager(provider, options)]
    const port = transportPortOf(one)
    granted = 'read write'
    const wide = await port.stepUp(await one.credential(), 'write', noOptions)
    expect(wide?.scope).toBe('read write')
    granted = 'read'
    clock.advance(1000)
    await peer.renew()
    clock.advance(3_600_000)
    await peer.credential()
    const narrow = await one.credential()
    expect(narrow.scope).toBe('read')

    granted = 'read write'
    expect((await port.stepUp(narrow, 'write', noOptions))?.scope).toBe('read write')
    expect(asked.at(-1)).toBe('read write')
  })

  test('that waits for a renewal does not start if the renewal returned the required scopes', async () => {
    const { clock, issuer, manager, port, narrow } = await readOnly()
    clock.advance(3_400_000)
    await manager.credential()
    await settle()
    const wanted = port.stepUp(narrow, 'write', noOptions)
    await settle()
    expect(issuer.waiting).toBe(1)
    const wide = issuer.grant(3600, { scope: 'read write' })
    expect(await wanted).toBe(wide)
    expect(issuer.contexts).toHaveLength(2)
  })

  test('is not needed for a late 403 if the current credential has the scopes', async () => {
    const { issuer, port, narrow } = await readOnly()
    const wanted = port.stepUp(narrow, 'write', noOptions)
    await settle()
    // The issuer does not name the scope, so it is the requested one.
    const wide = issuer.grant(3600)
    await wanted
    expect(await port.stepUp(narrow, 'write', noOptions)).toBe(wide)
    expect(issuer.contexts).toHaveLength(2)
  })
})
