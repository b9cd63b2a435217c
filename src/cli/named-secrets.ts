/**
 * Named secrets in the store, to which config files refer.
 *
 * @module
 */
import type { DefaultStore, SavedSecret } from '../auto/index.ts'
import type { Config } from '../config/index.ts'
import type { Invocation } from './command.ts'
import { tableLines } from './table.ts'
import { formatTime } from './times.ts'

/** Asks for a secret, and stores it. */
export async function setSecret({ terminal }: Invocation, name: string): Promise<void> {
  const { defaultStore, saveSecret } = await import('../auto/index.ts')
  const store = defaultStore()
  const isFirst = (await store.list()).length === 0
  const value = () => terminal.askSecret(`Value of the secret ${name}`)
  const { replaced } = await saveSecret(store, { name, value })
  const before = replaced ? ', and replaced the earlier value' : ''
  terminal.print(`Stored the secret ${name}${before}.`)
  if (isFirst) terminal.note((await store.where()).description)
  terminal.note(
    `Refer to it in a config file as stored:${name} in an auth block, and as \${stored:${name}} in env and headers.`,
  )
}

/** Deletes a secret by its name. */
export async function deleteSecret({ terminal }: Invocation, name: string): Promise<void> {
  const { defaultStore, listSecrets } = await import('../auto/index.ts')
  const store = defaultStore()
  const found = (await listSecrets(store)).find((secret) => secret.name === name)
  if (found === undefined) {
    terminal.note(`No secret of that name is stored. For a list, run: npx mcp-credentials list`)
    return
  }
  await deleteListedSecret(found, store, terminal)
}

/** Deletes a listed secret. */
export async function deleteListedSecret(
  { key, name }: SavedSecret,
  store: DefaultStore,
  { print }: Invocation['terminal'],
): Promise<void> {
  await store.lock(key, () => store.delete(key))
  print(`Deleted the secret ${name}.`)
}

/** A secret, and the names of the servers in the config files that refer to it. */
export interface ListedSecret extends SavedSecret {
  readonly usedBy: readonly string[]
}

/** Finds the servers that refer to each secret. */
export function secretsInUse(
  secrets: readonly SavedSecret[],
  config: Config | undefined,
): readonly ListedSecret[] {
  const servers = config?.files.flatMap((file) => config.review(file)) ?? []
  return secrets.map((secret) => {
    const users = servers.filter(({ storedSecrets }) => storedSecrets.includes(secret.name))
    return { ...secret, usedBy: [...new Set(users.map(({ name }) => name))] }
  })
}

/** Formats the secrets as a table. */
export function secretLines(
  secrets: readonly ListedSecret[],
  show: (text: string) => string,
): readonly string[] {
  const now = Date.now()
  const heads = ['SECRET', 'STORED', 'USED BY']
  const hasProblem = secrets.some(({ problem }) => problem !== undefined)
  const rows = secrets.map(({ name, savedAt, usedBy, problem }) => [
    name,
    savedAt === undefined ? '-' : formatTime(savedAt, now),
    usedBy.length === 0 ? '-' : usedBy.map(show).join(', '),
    ...(hasProblem ? [problem ?? '-'] : []),
  ])
  return tableLines(hasProblem ? [...heads, 'PROBLEM'] : heads, rows)
}
