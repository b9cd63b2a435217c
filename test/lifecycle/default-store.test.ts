/**
 * A model of the choice of the default store: processes begin and end, keychains appear, are locked and go away.
 *
 *     STORE_SEED=101 STORE_PATH=237:2:2 npx vitest run --config test/vitest.config.ts --project unit test/lifecycle/default-store.test.ts
 *
 * `STORE_SEED=random` plays other stories; `STORE_RUNS` is their number.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'vitest'
import { defaultStore } from '../../src/auto/index.ts'
import type { CredentialStore } from '../../src/index.ts'
import type { KeychainBackend } from '../../src/stores/keychain-backend.ts'
import '../../src/stores/keychain.ts'

type Keychain = 'there' | 'missing' | 'locked'
type Kind = 'keychain' | 'file'

type Step =
  | { readonly do: 'a process begins'; readonly asks: Kind | undefined }
  | { readonly do: 'the keychain is'; readonly state: Keychain }
  | { readonly do: 'set' | 'get' | 'delete'; readonly key: string }
  /** Two processes that know nothing yet store something at the same time. */
  | { readonly do: 'two begin' }

const key = fc.constantFrom(
  'https://a.example.com/mcp | default',
  'https://b.example.com/mcp | default',
)

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('a process begins' as const),
      asks: fc.constantFrom<Kind | undefined>(
        ...Array<undefined>(6).fill(undefined),
        'keychain',
        'file',
      ),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('the keychain is' as const),
      state: fc.constantFrom<Keychain>('there', 'there', 'missing', 'missing', 'locked'),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constantFrom('set' as const, 'set' as const, 'get' as const, 'delete' as const),
      key,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'two begin' as const }) },
)

interface Model {
  readonly folder: string
  readonly entries: Map<string, string>
  /** What each kind of store has, by key. */
  readonly stored: Record<Kind, Map<string, string>>
  readonly story: string[]
  keychain: Keychain
  /** What the first record has decided. */
  decided: Kind | undefined
  store: CredentialStore
  asks: Kind | undefined
  /** What the present process has chosen; it stays. */
  uses: Kind | undefined
  count: number
}

function keychainOf({ entries }: Model, state: () => Keychain): KeychainBackend {
  const check = () => {
    if (state() === 'there') return
    const text = state() === 'locked' ? 'The keychain is locked' : 'no D-Bus session'
    throw new Error(text)
  }
  const nameOf = (service: string, account: string) => `${service}|${account}`
  return {
    async getPassword(service, account) {
      check()
      return entries.get(nameOf(service, account)) ?? null
    },
    async setPassword(service, account, password) {
      check()
      entries.set(nameOf(service, account), password)
    },
    async deletePassword(service, account) {
      check()
      return entries.delete(nameOf(service, account))
    },
    async findCredentials(service) {
      check()
      return [...entries].flatMap(([name, password]) =>
        name.startsWith(`${service}|`)
          ? [{ account: name.slice(service.length + 1), password }]
          : [],
      )
    },
  }
}

function open(model: Model, asks: Kind | undefined): CredentialStore {
  return defaultStore({
    directory: join(model.folder, 'data'),
    keyDirectory: join(model.folder, 'keys'),
    backend: keychainOf(model, () => model.keychain),
    ...(asks === undefined ? {} : { kind: asks }),
  })
}

/** Where a process keeps what it is given; `undefined`: nobody can say, so it must refuse. */
function kindOf(model: Model): Kind | undefined {
  const { uses, asks, decided, keychain } = model
  const probed = keychain === 'locked' ? undefined : keychain === 'there' ? 'keychain' : 'file'
  return uses ?? asks ?? decided ?? probed
}

async function play(steps: readonly Step[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'choice-'))
  const model: Model = {
    folder,
    entries: new Map(),
    stored: { keychain: new Map(), file: new Map() },
    story: [],
    keychain: 'there',
    decided: undefined,
    store: { get: none, set: none, delete: none, list: none, lock: none },
    asks: undefined,
    uses: undefined,
    count: 0,
  }
  model.store = open(model, undefined)
  try {
    for (const each of steps) {
      model.story.push(JSON.stringify(each))
      await take(model, each)
      checkFiles(model)
    }
  } catch (error) {
    throw new Error(`${String(error)}\n\nThe story:\n${model.story.join('\n')}`)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const none = () => Promise.reject(new Error('there is no store yet'))

async function take(model: Model, each: Step): Promise<void> {
  switch (each.do) {
    case 'a process begins':
      model.store = open(model, each.asks)
      model.asks = each.asks
      model.uses = undefined
      return
    case 'the keychain is':
      model.keychain = each.state
      return
    case 'two begin':
      return twoBegin(model)
    default:
      return use(model, each.do, each.key)
  }
}

async function use(model: Model, what: 'set' | 'get' | 'delete', name: string): Promise<void> {
  const { store, stored, keychain } = model
  const kind = kindOf(model)
  const canWork = kind === 'file' || (kind === 'keychain' && keychain === 'there')
  model.count += 1
  const value = `value-${model.count}`
  const running: Promise<unknown> =
    what === 'set'
      ? store.set(name, { version: 1, provider: 'model', data: { value } })
      : what === 'get'
        ? store.get(name)
        : store.delete(name)
  const outcome = await running.then(
    (result) => ({ result }),
    (error: unknown) => ({ error }),
  )
  // Where it could be looked, a process stays with what it has found.
  if (kind !== undefined) model.uses = kind
  const failed = 'error' in outcome
  model.story.push(`   ${kind}: ${failed ? String(outcome.error) : 'done'}`)
  if (failed === canWork) {
    throw new Error(failed ? 'it fails and could work' : `it works, and there is no ${kind}`)
  }
  if (failed && (outcome.error as { code?: unknown }).code !== 'store') throw outcome.error
  if (kind === undefined) return
  // A choice is written down before the record, so it counts even where the record fails.
  if (what === 'set') model.decided ??= kind
  if (failed) return
  const records = stored[kind]
  if (what === 'set') records.set(name, value)
  if (what === 'delete') records.delete(name)
  if (what !== 'get') return
  const found = (outcome.result as { data?: { value?: unknown } } | undefined)?.data?.value
  if (found !== records.get(name)) {
    throw new Error(`${name} is ${String(found)}, and was stored as ${records.get(name)}`)
  }
}

/** Both may store, or one is told that the other was faster; what was stored without an error is in one place. */
async function twoBegin(model: Model): Promise<void> {
  const was = model.keychain
  const names = ['https://a.example.com/mcp | default', 'https://b.example.com/mcp | default']
  const stores = names.map((_name, index) => {
    const state: Keychain = index === 0 ? 'there' : 'missing'
    return defaultStore({
      directory: join(model.folder, 'data'),
      keyDirectory: join(model.folder, 'keys'),
      backend: keychainOf(model, () => state),
    })
  })
  model.keychain = 'there'
  const before = model.decided
  const results = await Promise.allSettled(
    stores.map((store, index) => {
      const data = { value: `both-${index}` }
      return store.set(names[index] ?? '', { version: 1, provider: 'model', data })
    }),
  )
  model.keychain = was
  const kinds: readonly Kind[] = ['keychain', 'file']
  const done = results.flatMap(({ status }, index) => (status === 'fulfilled' ? [index] : []))
  const places = done.map((index) => before ?? kinds[index] ?? 'file')
  if (new Set(places).size > 1) throw new Error('two processes keep records in two places')
  for (const [position, index] of done.entries()) {
    const place = places[position] ?? 'file'
    model.stored[place].set(names[index] ?? '', `both-${index}`)
    model.decided ??= place
  }
}

/** Never plain text. */
function checkFiles({ folder }: Model): void {
  for (const name of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!name.isFile()) continue
    const text = readFileSync(join(name.parentPath, name.name), 'latin1')
    if (/value-\d|both-\d/.test(text)) throw new Error(`${name.name} holds a record as plain text`)
  }
}

const runs = Number(process.env['STORE_RUNS'] ?? 100)
const { STORE_SEED: seed = '20261122' } = process.env
const path = process.env['STORE_PATH']

test('whatever keychains come and go, what was stored is found, or an error says why not', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 14 }), play), {
    numRuns: runs,
    ...(seed === 'random' ? {} : { seed: Number(seed) }),
    ...(path === undefined ? {} : { path }),
  })
}, 300_000)
