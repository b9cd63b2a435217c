/**
 * Secrets that are stored under a name, for the config files that refer to them.
 *
 * @module
 */
import type { DefaultStore, SavedSecret } from '../auto/index.ts'
import type { Config } from '../config/index.ts'
import type { Invocation } from './command.ts'
import { tableLines } from './table.ts'
import { clockWords } from './times.ts'

/** Asks for a secret, and stores it. */
export async function setSecret({ terminal }: Invocation, name: string): Promise<void> {
  const { defaultStore, saveSecret } = await import('../auto/index.ts')
  const store = defaultStore()
  const isFirst = (await store.list()).length === 0
  const value = () => terminal.askSecret(`Value of the secret ${name}`)
  const { replaced } = await saveSecret(store, { name, value })
  const before = replaced ? ', in the place of the one that was there' : ''
  terminal.print(`Stored the secret ${name}${before}.`)
  if (isFirst) terminal.note((await store.where()).description)
  terminal.note(
    `A config file refers to it as stored:${name} in an auth block, and as \${stored:${name}} in env and headers.`,
  )
}

/** Deletes the secret of a name. */
export async function deleteSecret({ terminal }: Invocation, name: string): Promise<void> {
  const { defaultStore, listSecrets } = await import('../auto/index.ts')
  const store = defaultStore()
  const found = (await listSecrets(store)).find((secret) => secret.name === name)
  if (found === undefined) {
    terminal.note(`No secret of that name is stored. See what is: npx mcp-credentials list`)
    return
  }
  await giveUpSecret(found, store, terminal)
}

/** Deletes a secret that was listed. */
export async function giveUpSecret(
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

/** Says which servers refer to which secret. */
export function secretsInUse(
  secrets: readonly SavedSecret[],
  config: Config | undefined,
): readonly ListedSecret[] {
  const servers = config?.files.flatMap((file) => config.review(file)) ?? []
  return secrets.map((secret) => {
    const use = `reads stored:${secret.name}`
    const users = servers.filter(({ uses }) => uses.some((each) => each.split(' (')[0] === use))
    return { ...secret, usedBy: [...new Set(users.map(({ name }) => name))] }
  })
}

/** The secrets as a table. */
export function secretLines(
  secrets: readonly ListedSecret[],
  show: (text: string) => string,
): readonly string[] {
  const now = Date.now()
  const heads = ['SECRET', 'STORED', 'USED BY']
  const hasProblem = secrets.some(({ problem }) => problem !== undefined)
  const rows = secrets.map(({ name, savedAt, usedBy, problem }) => [
    name,
    savedAt === undefined ? '-' : clockWords(savedAt, now),
    usedBy.length === 0 ? '-' : usedBy.map(show).join(', '),
    ...(hasProblem ? [problem ?? '-'] : []),
  ])
  return tableLines(hasProblem ? [...heads, 'PROBLEM'] : heads, rows)
}
