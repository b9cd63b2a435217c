import { describe, expect, test } from 'vitest'
import { type Credential, TokenManager } from '../../src/index.ts'
import { managerOfTenant } from '../../src/manager/token-manager.ts'
import { testClock } from '../support/clock.ts'

const resource = 'https://mcp.example.com/mcp'
const apply = () => {}

async function errorFor(credential: (now: number) => unknown): Promise<unknown> {
  const { now } = testClock()
  const acquire = async () => credential(now()) as Credential
  const manager = new TokenManager({ name: 'own', acquire }, { resource, now })
  return manager.credential().catch((error: unknown) => error)
}

describe("the credential of an application's own provider", () => {
  test.each([
    ['nothing', () => undefined, /`apply` function.*Return \{ apply/],
    ['a text', () => 'token', /`apply` function/],
    [
      'an expiry as text',
      () => ({ apply, expiresAt: '2030-01-01' }),
      /milliseconds since the epoch/,
    ],
    ['an expiry that is NaN', () => ({ apply, expiresAt: Number.NaN }), /is not a number/],
    [
      'a life without an expiry',
      () => ({ apply, expiresIn: 60 }),
      /Return `expiresAt: now\(\) \+ seconds \* 1000`/,
    ],
    ['an expiry in seconds', (now: number) => ({ apply, expiresAt: now / 1000 + 60 }), /by 1000/],
  ])(
    'that is %s is rejected with an error that says what to return',
    async (_what, credential, message) => {
      expect(await errorFor(credential)).toMatchObject({
        name: 'CredentialError',
        code: 'invalid_response',
        provider: 'own',
        message: expect.stringMatching(message),
      })
    },
  )

  test.each([
    ['without an expiry', () => ({ apply })],
    [
      'with an expiry beside a life',
      (now: number) => ({ apply, expiresIn: 60, expiresAt: now + 60_000 }),
    ],
    ['that never expires', () => ({ apply, expiresAt: Infinity })],
    ['with an expiry in milliseconds', (now: number) => ({ apply, expiresAt: now + 60_000 })],
  ])('%s is accepted', async (_what, credential) => {
    expect(await errorFor(credential)).toMatchObject({ apply })
  })
})

describe('revocation', () => {
  const logoutOf = async (revoke: () => Promise<boolean>) => {
    const provider = { name: 'own', acquire: async () => ({ apply }), revoke }
    const manager = new TokenManager(provider, { resource })
    await manager.credential()
    const result = await manager.logout()
    await manager.credential()
    return result
  }

  test('that throws synchronously does not prevent the logout', async () => {
    const revoke = () => {
      throw new Error('canary-secret')
    }
    const reason = 'own: the revocation failed (Error).'
    expect(await logoutOf(revoke)).toEqual({ revoked: false, reason })
  })

  test('that resolves to anything but true does not count as revoked', async () => {
    const reason = 'own: the issuer does not support revocation.'
    expect(await logoutOf(async () => 'yes' as never)).toEqual({ revoked: false, reason })
  })
})

test("errors of a selector's manager name the key of that manager", async () => {
  const { CredentialError } = await import('../../src/index.ts')
  const shared = new CredentialError('invalid_client', 'The secret is wrong.')
  const provider = { name: 'own', acquire: () => Promise.reject(shared) }
  for (const tenant of ['acme', 'globex']) {
    const manager = managerOfTenant(provider, { resource }, tenant)
    await expect(manager.credential()).rejects.toMatchObject({ code: 'invalid_client', tenant })
    await manager.close()
    await expect(manager.credential()).rejects.toMatchObject({ code: 'closed', tenant })
  }
  expect(shared.tenant).toBeUndefined()
})
