/**
 * The command `list`: lists the stored credentials.
 *
 * @module
 */
import type { DefaultStore, SavedCredential } from '../auto/index.ts'
import type { Config } from '../config/index.ts'
import { isCredentialError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { shown } from './labels.ts'
import { secretLines, secretsInUse } from './named-secrets.ts'
import { readConfig } from './server.ts'
import { tableLines } from './table.ts'
import { formatExpiry } from './times.ts'

const examples = `
Examples:
  npx mcp-credentials list
  npx mcp-credentials list --json | jq '.credentials[].resource'`

/** Adds the command. */
export const addList: AddCommand = (program, run) => {
  program
    .command('list')
    .description('list the stored credentials, without secrets')
    .option('--json', 'print JSON')
    .addHelpText('after', examples)
    .action(
      run<{ readonly json?: boolean }>((invocation, { json }) => list(invocation, json === true)),
    )
}

/** A credential, and the names of the servers in the config files that use it. */
interface Listed extends SavedCredential {
  readonly usedBy: readonly string[]
}

async function list(invocation: Invocation, isJson: boolean): Promise<void> {
  const { terminal } = invocation
  const { defaultStore, listSaved, listSecrets, savedUrl } = await import('../auto/index.ts')
  const store = defaultStore()
  const saved = await listSaved(store)
  const where = await store.where()
  const config = await configIfAny(invocation, store)
  const namesFor = (url: string) =>
    (config?.servers ?? [])
      .filter((server) => server.url && savedUrl(server.url) === url)
      .map(({ name }) => name)
  const listed = saved.map((each) => ({ ...each, usedBy: namesFor(each.url) }))
  const secrets = secretsInUse(await listSecrets(store), config)
  if (isJson) {
    // The key and the URL may contain a secret in their path.
    const credentials = listed.map(({ key: _key, url: _url, ...rest }) => rest)
    const { kind, description } = where
    const named = secrets.map(({ key: _key, ...rest }) => rest)
    const content = { store: { kind, description }, credentials, secrets: named }
    terminal.print(JSON.stringify(content, null, 2))
    return
  }
  if (listed.length + secrets.length === 0) {
    terminal.note('Nothing is stored. Log in: npx mcp-credentials login URL')
    terminal.note('Store a key: npx mcp-credentials set URL --header X-API-Key')
  }
  const tables = [
    listed.length === 0 ? [] : linesOf(listed),
    secrets.length === 0 ? [] : secretLines(secrets, shown),
  ].filter((lines) => lines.length > 0)
  for (const [index, lines] of tables.entries()) {
    if (index > 0) terminal.print('')
    for (const line of lines) terminal.print(line)
  }
  terminal.note(where.description)
}

function linesOf(listed: readonly Listed[]): readonly string[] {
  const now = Date.now()
  const heads = [
    'SERVER',
    'ACCOUNT',
    'KIND',
    'SCOPES',
    'EXPIRES',
    'RENEWABLE',
    'USED BY',
    'PROBLEM',
  ]
  const rows = listed.map((each) => [
    each.resource,
    each.tenant === undefined ? each.account : `${each.account}, tenant ${shown(each.tenant)}`,
    each.kind,
    each.scopes.length === 0 ? '-' : shown(each.scopes.join(' ')),
    expiryOf(each, now),
    each.renewable ? 'yes' : 'no',
    each.usedBy.length === 0 ? '-' : each.usedBy.map(shown).join(', '),
    each.problem ?? '-',
  ])
  // Empty columns are left out.
  const kept = heads.map((_, column) => column < 6 || rows.some((row) => row[column] !== '-'))
  const filtered = (row: readonly string[]) => row.filter((_, column) => kept[column] === true)
  return tableLines(filtered(heads), rows.map(filtered))
}

function expiryOf({ expiresAt, kind }: SavedCredential, now: number): string {
  if (expiresAt === undefined && kind !== 'login') return '-'
  return formatExpiry(expiresAt, now)
}

/** The config; an invalid one is reported, and the list is printed without it. */
async function configIfAny(
  invocation: Invocation,
  store: DefaultStore,
): Promise<Config | undefined> {
  try {
    return await readConfig(invocation, store)
  } catch (error) {
    if (!isCredentialError(error)) throw error
    invocation.terminal.note(error.message)
    return undefined
  }
}
