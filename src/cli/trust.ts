/**
 * The command `trust`: shows what a config file would do, and records that the user trusts it.
 *
 * @module
 */
import { resolve } from 'node:path'
import type { Config, ConfigFile } from '../config/index.ts'
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { type ExitCode, exitCodes } from './exit-codes.ts'
import { shown } from './labels.ts'
import { readConfig } from './server.ts'
import type { Terminal } from './terminal.ts'

const examples = `
A config file of a project runs no command and sends no secret until you trust its exact content. When the file changes,
you must trust it again.

Examples:
  npx mcp-credentials trust .mcp.json
  npx mcp-credentials trust .mcp.json --yes`

/** Adds the command. */
export const addTrust: AddCommand = (program, run) => {
  program
    .command('trust')
    .description('allow a config file to run commands and send secrets, after showing them')
    .argument('[file]', 'the config file; default: the files of this project')
    .option('--yes', 'do not ask for confirmation')
    .addHelpText('after', examples)
    .action(
      run<{ readonly yes?: boolean }>((invocation, { yes }, file) =>
        trust(invocation, yes === true, file),
      ),
    )
}

async function trust(
  { global, ...invocation }: Invocation,
  isAgreed: boolean,
  path: string | undefined,
): Promise<ExitCode> {
  const { terminal } = invocation
  const { defaultStore } = await import('../auto/index.ts')
  const chosen = path === undefined ? {} : { config: resolve(terminal.cwd, path) }
  const config = await readConfig(
    { ...invocation, global: { ...global, ...chosen } },
    defaultStore(),
  )
  const files = config.files.filter(({ isTrusted }) => !isTrusted)
  if (files.length === 0) {
    const known = config.files.map((file) => printablePath(file.path)).join(', ')
    terminal.note(known === '' ? 'There is no config file.' : `Trusted already: ${known}.`)
    return exitCodes.success
  }
  for (const file of files) {
    describeFile(file, config, terminal)
    if (!isAgreed && !terminal.isInteractive) {
      throw new ConfigurationError('yes', 'There is no terminal for a confirmation.', {
        remedy: `Review ${file.path}, and add --yes.`,
      })
    }
    if (!isAgreed && !(await terminal.confirm('Trust this file?', false))) {
      terminal.note('The file is not trusted.')
      return exitCodes.failure
    }
    await config.trust(file)
    terminal.print(`Trusted ${printablePath(file.path)}, until its content changes.`)
  }
  return exitCodes.success
}

/**
 * Shows the content that was hashed when the file was read. The file is not read again, because it may have
 * changed.
 */
function describeFile(file: ConfigFile, config: Config, terminal: Terminal): void {
  const { bold } = terminal.style
  const path = printablePath(file.path)
  const target = file.realPath === file.path ? '' : `, a link to ${printablePath(file.realPath)}`
  terminal.note(`${bold(path)} (${file.client}${target}) would do this:`)
  const servers = config.review(file)
  for (const { name, line, uses } of servers) {
    terminal.note(`  ${bold(shown(name))} (line ${line}):`)
    for (const use of uses) terminal.note(`    ${use}`)
  }
  if (servers.some(({ runsPrograms }) => runsPrograms)) {
    terminal.note('The programs that it runs are trusted too, even after they change.')
  }
}

/** A path without terminal control characters. */
function printablePath(path: string): string {
  return path.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, '\ufffd')
}
