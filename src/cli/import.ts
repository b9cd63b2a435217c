/**
 * The command `import`: finds logins and keys that other programs keep, and moves them into the store.
 *
 * @module
 */
import type { DefaultStore } from '../auto/index.ts'
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import type { Finding, ImportOptions } from './import-findings.ts'
import type { Cleaned, LiteralFile } from './import-literals.ts'
import { commandWord, labelOf, printable, shown } from './labels.ts'
import { accountOption, readConfig } from './server.ts'
import { tableLines } from './table.ts'

const examples = `
It lists first, and writes only with --write. What was found stays where it is; stop the program that uses a login,
because both would use the same refresh token. A secret in the env of a server that is started as a process is stored
under a name, and the file refers to it by "\${stored:NAME}"; \`exec\` reads it.

Examples:
  What mcp-remote has stored for the servers of the config files:
    npx mcp-credentials import
  The same for a server that no config file names:
    npx mcp-credentials import --server https://mcp.example.com/mcp --write
  Keys that stand in a config file: store them, and take them out of the file:
    npx mcp-credentials import --config mcp.json --write --in-place
  Entries of the keychain that another program has written with keytar:
    npx mcp-credentials import --keytar my-old-agent --client-id my-old-agent --issuer https://login.example.com`

/** Adds the command. */
export const addImport: AddCommand = (program, run) => {
  const several = (value: string, before: readonly string[] = []) => [...before, value]
  program
    .command('import')
    .description('move logins and keys of other programs into the store')
    .option(
      '--server <url>',
      'a server that mcp-remote was used for; repeat it for several',
      several,
    )
    .option('--issuer <url>', 'the authorization server, where the other program did not note it')
    .option(
      '--keytar <service>',
      'the service under which another program keeps its keychain entries',
    )
    .option('--client-id <id>', 'of --keytar: the client that the logins were issued to')
    .option('--write', 'store what was found')
    .option(
      '--in-place',
      'take the secrets out of the config files, instead of showing those files without',
    )
    .addHelpText('after', examples)
    .action(run<ImportOptions>((invocation, options) => importAll(invocation, options)))
}

async function importAll(invocation: Invocation, options: ImportOptions): Promise<void> {
  const { terminal } = invocation
  if (options.inPlace === true && options.write !== true) {
    throw new ConfigurationError('in-place', 'The secrets would be lost.', {
      remedy: 'Add --write, so that they are stored first.',
    })
  }
  const [{ defaultStore }, { literalFindings }, { loginFindings }] = await Promise.all([
    import('../auto/index.ts'),
    import('./import-literals.ts'),
    import('./import-logins.ts'),
  ])
  const store = defaultStore()
  const config = await readConfig(invocation, store)
  const literals = await literalFindings(config)
  const findings = [
    ...(await loginFindings(config, options, invocation)),
    ...literals.flatMap(({ findings }) => findings),
  ]
  if (findings.length === 0) {
    terminal.note('Nothing was found. Name the servers with --server, or a file with --config.')
    return
  }
  const say = options.write === true ? terminal.note : terminal.print
  for (const line of linesOf(findings)) say(line)
  if (options.write !== true) {
    terminal.note('Nothing was written. Add --write to store what can be.')
    return
  }
  const stored = new Set<Finding>()
  for (const finding of findings) {
    if (finding.problem !== undefined) continue
    invocation.signal.throwIfAborted()
    const written = await finding.copyTo(store, accountOption(invocation))
    if (written !== undefined) stored.add(finding)
    const kept = `Something is stored already, and was kept: ${labelOf(finding.server)}.`
    terminal.note(written ?? kept)
  }
  const isInPlace = options.inPlace === true
  const changed: string[] = []
  for (const literal of literals) {
    const cleaned = await literal.withoutSecrets((finding) => stored.has(finding), isInPlace)
    if (!isInPlace) terminal.print(cleaned.text)
    else {
      terminal.note(wordsOf(literal, cleaned))
      if (cleaned.removed > 0) changed.push(literal.path)
    }
  }
  await noteTrust(changed, invocation, store)
  for (const advice of new Set([...stored].flatMap(({ advice = [] }) => advice))) {
    terminal.note(advice)
  }
}

/** Trust is in a content, so a file that was changed has lost it, unless it is the user's own. */
async function noteTrust(
  changed: readonly string[],
  invocation: Invocation,
  store: DefaultStore,
): Promise<void> {
  if (changed.length === 0) return
  const { files } = await readConfig(invocation, store)
  const lost = files.filter(({ path, isTrusted }) => !isTrusted && changed.includes(path))
  for (const { path } of lost) {
    const command = `npx mcp-credentials trust ${commandWord(path)}`
    invocation.terminal.note(
      `${printable(path)} has changed, so it has to be trusted again: ${command}`,
    )
  }
}

function wordsOf({ path }: LiteralFile, { removed, left }: Cleaned): string {
  const file = printable(path)
  if (removed === 0) return `Nothing was taken out of ${file}.`
  const rest = left === 0 ? '' : ' Other secrets are left in it.'
  return `Took the secrets that were stored out of ${file}.${rest}`
}

function linesOf(findings: readonly Finding[]): readonly string[] {
  const rows = findings.map(({ server, source, kind, problem }) => [
    URL.canParse(server) ? labelOf(server) : shown(server),
    printable(kind),
    printable(source),
    problem ?? 'ready',
  ])
  return tableLines(['SERVER', 'KIND', 'FOUND IN', 'STATE'], rows)
}
