import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { scriptOutput } from '../support/script-output.ts'
import { startSecretService } from '../support/secret-service.ts'

const key = 'https://mcp.example.com/mcp | default'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'default-store-'))
})
afterEach(() => rm(home, { recursive: true, force: true }))

/** The environment of a machine without a keychain. */
function bare(): NodeJS.ProcessEnv {
  const { DBUS_SESSION_BUS_ADDRESS: _, DISPLAY: __, ...env } = process.env
  return { ...env, HOME: home, ...xdg(), XDG_RUNTIME_DIR: home }
}

function xdg(): NodeJS.ProcessEnv {
  return { XDG_DATA_HOME: join(home, 'data'), XDG_CONFIG_HOME: join(home, 'config') }
}

/** Runs a script with the default store of a process of its own, and returns what it prints. */
async function run(env: NodeJS.ProcessEnv, body: string): Promise<string> {
  const script = `
    import { defaultStore } from 'mcp-credentials/auto'
    const store = defaultStore({})
    const record = { version: 1, provider: 'test', data: { from: process.pid } }
    try { ${body} } catch (error) { console.log(error.name, error.reason, error.message) }
    process.exit()`
  return scriptOutput(env, script)
}

const write = (place: string) => `await store.set(${JSON.stringify(place)}, record)`
const where = 'console.log((await store.where()).kind)'

describe('defaultStore() of several processes', () => {
  test('makes one key for all that begin at the same time without a keychain', async () => {
    const places = Array.from({ length: 6 }, (_value, index) => `${key} ${index}`)
    const outputs = await Promise.all(places.map((place) => run(bare(), write(place))))
    expect(outputs.join('')).toBe('')
    const read = `for (const each of await store.list()) console.log((await store.get(each)).provider)`
    expect(await run(bare(), read)).toBe('test\n'.repeat(6))
  })

  test('keeps to the files when a keychain appears, and to the keychain when it is gone', async () => {
    const session = await startSecretService()
    try {
      const withKeychain = { ...session.env, ...xdg() }
      expect(await run(bare(), `${write(key)}; ${where}`)).toBe('file\n')
      expect(
        await run(withKeychain, `${where}; console.log((await store.get('${key}')).provider)`),
      ).toBe('file\ntest\n')
      await rm(join(home, 'data'), { recursive: true })
      expect(await run(withKeychain, `${write(key)}; ${where}`)).toBe('keychain\n')
      expect(await run(bare(), write(key))).toMatch(/^StoreError no_keychain There is no keychain/)
    } finally {
      await session.stop()
    }
  })

  test('does not take a locked keychain for a missing one', async () => {
    const session = await startSecretService()
    try {
      const env = { ...session.env, ...xdg() }
      expect(await run(env, write(key))).toBe('')
      await session.lock()
      const output = await run(env, `console.log(await store.get('${key}'))`)
      expect(output).toMatch(/^StoreError undefined The keychain/)
      expect(output).toContain('MCP_CREDENTIALS_STORE=file')
    } finally {
      await session.stop()
    }
  })
})
