/**
 * The command `trust`: shows what a config file would do, and lets it, once a person has agreed.
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
A config file that came with a project neither runs a command nor sends a secret before you have trusted its very
content. When the file changes, you are asked again.

Examples:
  npx mcp-credentials trust .mcp.json
  npx mcp-credentials trust .mcp.json --yes`

/** Adds the command. */
export const addTrust: AddCommand = (program, run) => {
  program
    .command('trust')
    .description('let a config file run commands and send secrets, after showing which')
    .argument('[file]', 'the config file; default: those of this project')
    .option('--yes', 'do not ask')
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
    terminal.note(known === '' ? 'There is no config file here.' : `Trusted already: ${known}.`)
    return exitCodes.success
  }
  for (const file of files) {
    describeFile(file, config, terminal)
    if (!isAgreed && !terminal.isInteractive) {
      throw new ConfigurationError('yes', 'There is no terminal to ask in.', {
        remedy: `Read ${file.path}, and add --yes.`,
      })
    }
    if (!isAgreed && !(await terminal.confirm('Trust this file?', false))) {
      terminal.note('It is not trusted.')
      return exitCodes.failure
    }
    await config.trust(file)
    terminal.print(`Trusted ${printablePath(file.path)}, as long as it stays as it is.`)
  }
  return exitCodes.success
}

/** Shows what was hashed when the file was read; it is not read again, because it may have changed since. */
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
  if (servers.some(({ uses }) => uses.some((use) => use.startsWith('runs ')))) {
    terminal.note('A program that it runs is trusted as well, also after that program has changed.')
  }
}

/** A path in which nothing acts on the terminal. */
function printablePath(path: string): string {
  return path.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, '\ufffd')
}
