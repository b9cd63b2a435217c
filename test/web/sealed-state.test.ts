import { randomBytes } from 'node:crypto'
import { CompactEncrypt, EncryptJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { checkSealingKeys, stateSealer } from '../../src/web/sealed-state.ts'

const newKey = () => randomBytes(32).toString('base64')
const now = Date.UTC(2026, 0, 1)
const later = now + 600_000
const value = { codeVerifier: 'verifier-canary', account: 'alice' }

describe('a sealed state', () => {
  it('opens with the key that sealed it, and gives back what was sealed', async () => {
    const sealer = stateSealer('key', [newKey()])

    const state = await sealer.seal(value, later)

    expect(await sealer.open(state, now)).toEqual(value)
  })

  it('fits into a header and a cookie, and shows nothing of what it holds', async () => {
    const state = await stateSealer('key', [newKey()]).seal(value, later)

    expect(state).toMatch(/^[\w.-]+$/)
    const parts = state.split('.').map((part) => Buffer.from(part, 'base64url').toString('latin1'))
    expect(parts.join(' ')).not.toMatch(/canary|alice|verifier/)
  })

  it('does not open when any of its characters is another one', async () => {
    const sealer = stateSealer('key', [newKey()])
    const state = await sealer.seal(value, later)

    for (let place = 0; place < state.length; place += 1) {
      // A letter whose first bit differs: the last bits of a part may stand for nothing.
      const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
      const letter = state[place] ?? ''
      const other = letter === '.' ? 'A' : letters[(letters.indexOf(letter) + 32) % 64]
      const changed = `${state.slice(0, place)}${other}${state.slice(place + 1)}`
      await expect(sealer.open(changed, now)).rejects.toMatchObject({ code: 'login_state_invalid' })
    }
  })

  it('does not open with another key, and no error shows what was tried', async () => {
    const state = await stateSealer('key', [newKey()]).seal(value, later)

    const error = await stateSealer('key', [newKey()])
      .open(state, now)
      .catch((thrown: Error) => thrown)

    expect(error).toMatchObject({ code: 'login_state_invalid' })
    expect(String((error as Error).stack)).not.toContain(state.slice(0, 40))
  })

  it('opens after its key was replaced, while the old one is still named', async () => {
    const [old, next] = [newKey(), newKey()]
    const state = await stateSealer('key', [old]).seal(value, later)

    expect(await stateSealer('key', [next, old]).open(state, now)).toEqual(value)
    const fresh = await stateSealer('key', [next, old]).seal(value, later)
    expect(await stateSealer('key', [next]).open(fresh, now)).toEqual(value)
  })

  it('expires', async () => {
    const sealer = stateSealer('key', [newKey()])
    const state = await sealer.seal(value, later)

    expect(await sealer.open(state, later - 1000)).toEqual(value)
    await expect(sealer.open(state, later + 1000)).rejects.toMatchObject({ code: 'login_expired' })
  })

  it('is no token that somebody else encrypted with the same key', async () => {
    const key = randomBytes(32)
    const sealer = stateSealer('key', [key.toString('base64')])
    const own = await sealer.seal(value, later)
    const { kid } = JSON.parse(Buffer.from(own.split('.')[0] ?? '', 'base64url').toString())
    const header = { alg: 'dir', enc: 'A256GCM', typ: 'mcp-credentials-login', kid }
    const forged = await new EncryptJWT({ login: value })
      .setProtectedHeader(header)
      .setExpirationTime('10 minutes')
      .encrypt(key)
    const weak = await new CompactEncrypt(Buffer.from(JSON.stringify({ login: value })))
      .setProtectedHeader({ ...header, alg: 'PBES2-HS256+A128KW' })
      .encrypt(key)

    for (const state of [forged, weak, 'a', '....', 'x'.repeat(20_000), {}]) {
      await expect(sealer.open(state as string, now)).rejects.toMatchObject({
        code: 'login_state_invalid',
      })
    }
  })

  it('says that it is missing where there is none', async () => {
    const sealer = stateSealer('key', [newKey()])

    for (const state of ['', undefined]) {
      const opening = sealer.open(state, now)
      await expect(opening).rejects.toMatchObject({ code: 'login_state_invalid' })
      await expect(opening).rejects.toThrow(/is missing.*another browser/)
    }
  })

  it('takes a key in base64 or hex, from a function too, and refuses one of another length', async () => {
    const key = randomBytes(32)
    const state = await stateSealer('key', [key.toString('base64')]).seal(value, later)

    expect(await stateSealer('key', [() => key.toString('hex')]).open(state, now)).toEqual(value)
    const short = randomBytes(16).toString('base64')
    expect(() => checkSealingKeys('key', [short])).toThrow(/32 bytes/)
    expect(() => checkSealingKeys('key', [])).toThrow(/32 bytes/)
    await expect(stateSealer('key', [() => short]).seal(value, later)).rejects.toThrow(/32 bytes/)
  })
})
