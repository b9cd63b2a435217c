/** What happens to the store and the config files beside the clients: keys are stored, files are changed. */
import fc from 'fast-check'
import { type StoredKey, saveKey } from '../../src/auto/index.ts'
import type { CredentialStore } from '../../src/index.ts'
import { type CommandName, commandNames } from './command.ts'
import { originOf, type ResourceName, type resourceNames, urlOf, type World } from './types.ts'

const keyTypes = ['apiKey', 'query', 'bearer', 'basic', 'headers', 'hmac', 'jwt'] as const
type KeyType = (typeof keyTypes)[number]

export type FrontOperation =
  | {
      readonly do: 'save a key' | 'delete a key'
      readonly resource: ResourceName
      /** A path of the same server that nobody asks anything. */
      readonly isNeighbour: boolean
      readonly type: KeyType
    }
  | { readonly do: 'run a command'; readonly what: CommandName; readonly resource: ResourceName }
  | { readonly do: 'edit the project' }

const resource = fc.constantFrom<ResourceName>('notes', 'notes', 'wiki')

export const frontOperation: fc.Arbitrary<FrontOperation> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom('save a key' as const, 'save a key' as const, 'delete a key' as const),
      resource,
      isNeighbour: fc.constantFrom(false, false, true),
      type: fc.constantFrom(...keyTypes),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('run a command' as const),
      what: fc.constantFrom(...commandNames),
      resource,
    }),
  },
  { weight: 1, arbitrary: fc.constant({ do: 'edit the project' as const }) },
)

/** Stores a key for one server, or takes away what is stored for it. */
export async function changeKey(
  world: World,
  store: CredentialStore,
  {
    do: what,
    resource: server,
    isNeighbour,
    type,
  }: Extract<FrontOperation, { readonly type: KeyType }>,
): Promise<void> {
  const url = isNeighbour ? `${originOf(server)}/other` : urlOf(server)
  if (what === 'delete a key') {
    await store.delete(`${url} | default`)
    return
  }
  const owners = isNeighbour ? [] : [server]
  await saveKey(store, { resource: url, key: keyOf(world, type, owners) })
}

function keyOf(
  { canaries }: World,
  type: KeyType,
  owners: readonly (typeof resourceNames)[number][],
): StoredKey {
  const value = () => canaries.mint('API key', owners)
  switch (type) {
    case 'apiKey':
      return { type, header: 'X-API-Key', value: value() }
    case 'query':
      return { type: 'apiKey', query: 'key', value: value() }
    case 'bearer':
      return { type, token: value() }
    case 'basic':
      return { type, username: 'agent', password: value() }
    case 'headers':
      return { type, headers: { 'X-API-Key': value(), 'X-Team': 'one' } }
    case 'hmac':
      return { type, secret: canaries.mint('signing secret', []) }
    case 'jwt': {
      const secret = canaries.mint('signing secret', [], (text) => text.padEnd(40, '-'))
      return { type, algorithm: 'HS256', secret }
    }
  }
}
