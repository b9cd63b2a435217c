/**
 * The command `import`: finds logins and keys of other programs, and copies them into the store.
 *
 * @module
 */
import type { DefaultStore } from '../auto/index.ts'
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import type { Finding, ImportOptions } from './import-findings.ts'
import type { Cleaned, LiteralFile } from './import-literals.ts'
import { commandWord, labelOf, printable, shown } from './labels.ts'
import { accountOption, readConfig } from './server.ts'
import { tableLines } from './table.ts'

const examples = `
Without --write, it only lists what it finds. Logins are copied: stop the other program, because both would use the same
refresh token. A secret in the env of a stdio server is stored under a name, and the file refers to it as
"\${stored:NAME}"; \`exec\` reads it. Secrets are read only from your own files and from files that you have trusted with
\`mcp-credentials trust FILE\`.

Examples:
  Logins of mcp-remote for the servers of the config files:
    npx mcp-credentials import
  The same for a server that is in no config file:
    npx mcp-credentials import --server https://mcp.example.com/mcp --write
  Keys in a config file: store them, and remove them from the file:
    npx mcp-credentials trust mcp.json
    npx mcp-credentials import --config mcp.json --write --in-place
  Keychain entries that another program has written with keytar:
    npx mcp-credentials import --keytar my-old-agent --client-id my-old-agent --issuer https://login.example.com`

/** Adds the command. */
export const addImport: AddCommand = (program, run) => {
  const several = (value: string, before: readonly string[] = []) => [...before, value]
  program
    .command('import')
    .description('copy logins and keys of other programs into the store')
    .option('--server <url>', 'a server with a login of mcp-remote; can be repeated', several)
    .option('--issuer <url>', 'the authorization server, if the other program did not store it')
    .option('--keytar <service>', 'the keychain service that another program uses')
    .option('--client-id <id>', 'with --keytar: the client ID of the logins')
    .option('--write', 'store the logins and keys')
    .option(
      '--in-place',
      'remove the secrets from the config files, instead of printing the files without them',
    )
    .addHelpText('after', examples)
    .action(run<ImportOptions>((invocation, options) => importAll(invocation, options)))
}

async function importAll(invocation: Invocation, options: ImportOptions): Promise<ExitCode> {
  if (options.inPlace === true && options.write !== true) {
    throw new ConfigurationError('in-place', 'The secrets would be lost.', {
      remedy: 'Add --write to store them first.',
    })
  }
  const modules = [
    import('../auto/index.ts'),
    import('./import-literals.ts'),
    import('./import-logins.ts'),
    import('./mcp-remote.ts'),
  ] as const
  const [{ defaultStore }, { literalFindings }, { loginFindings }, { remoteHeaderFindings }] =
    await Promise.all(modules)
  const store = defaultStore()
  const config = await readConfig(invocation, store)
  const literals = await literalFindings(config)
  const findings = [
    ...(await loginFindings(config, options, invocation)),
    ...remoteHeaderFindings(config),
    ...literals.flatMap(({ findings }) => findings),
  ]
  const { terminal } = invocation
  if (findings.length === 0) {
    terminal.note('Nothing was found. Pass a server with --server, or a config file with --config.')
    return exitCodes.success
  }
  const say = options.write === true ? terminal.note : terminal.print
  for (const line of linesOf(findings)) say(line)
  if (options.write === true) await writeAll({ findings, literals, store }, options, invocation)
  else {
    const isReady = findings.some(({ problem }) => problem === undefined)
    terminal.note(
      `Nothing was written.${isReady ? ' Add --write to store the entries that are ready.' : ''}`,
    )
  }
  const untrusted = new Set(findings.flatMap(({ untrustedFile = [] }) => untrustedFile))
  for (const path of untrusted) {
    const command = `npx mcp-credentials trust ${commandWord(path)}`
    terminal.note(
      `Secrets of ${printable(path)} are stored only if you trust the file. Review it, and run: ${command}`,
    )
  }
  return options.write === true && untrusted.size > 0 ? exitCodes.failure : exitCodes.success
}

interface Found {
  readonly findings: readonly Finding[]
  readonly literals: readonly LiteralFile[]
  readonly store: DefaultStore
}

/**
 * Stores the findings without a problem, and removes them from the config files or prints the files without
 * them.
 */
async function writeAll(
  { findings, literals, store }: Found,
  options: ImportOptions,
  invocation: Invocation,
): Promise<void> {
  const { terminal } = invocation
  const account = accountOption(invocation)
  const stored = new Set<Finding>()
  for (const finding of findings) {
    if (finding.problem !== undefined) continue
    invocation.signal.throwIfAborted()
    const written = await finding.copyTo(store, account)
    if (written !== undefined) stored.add(finding)
    terminal.note(written ?? keptMessage(finding, account))
  }
  const isInPlace = options.inPlace === true
  const changed: string[] = []
  for (const literal of literals) {
    if (literal.findings.every(({ untrustedFile }) => untrustedFile !== undefined)) continue
    const cleaned = await literal.withoutSecrets((finding) => stored.has(finding), isInPlace)
    if (!isInPlace) terminal.print(cleaned.text)
    else {
      terminal.note(removalMessage(literal, cleaned))
      if (cleaned.removed > 0) changed.push(literal.path)
    }
  }
  await noteTrust(changed, invocation, store)
  for (const advice of new Set([...stored].flatMap((each) => each.advice?.(account) ?? []))) {
    terminal.note(advice)
  }
}

function keptMessage({ server }: Finding, { account }: { readonly account?: string }): string {
  const label = labelOf(server)
  const more = account === undefined ? '' : ` --account ${commandWord(account)}`
  const command = `npx mcp-credentials logout ${commandWord(label)}${more}`
  return `A credential for ${label} is already stored, and was kept. To replace it, run \`${command}\`, and import again.`
}

/**
 * Trust applies to the content of a file, so a changed file must be trusted again, unless it is the user's
 * own.
 */
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
    invocation.terminal.note(`${printable(path)} has changed. To trust it again, run: ${command}`)
  }
}

function removalMessage({ path }: LiteralFile, { removed, left }: Cleaned): string {
  const file = printable(path)
  if (removed === 0) return `No secrets were removed from ${file}.`
  const rest = left === 0 ? '' : ' It still contains other secrets.'
  return `Removed the stored secrets from ${file}.${rest}`
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
