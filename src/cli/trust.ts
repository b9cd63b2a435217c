/**
 * The command `trust`: shows what a config file would do, and lets it, once a person has agreed.
 *
 * @module
 */
import { resolve } from 'node:path'
import type { Config, ConfigFile, ConfiguredServer } from '../config/index.ts'
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
    const known = config.files.map((file) => file.path).join(', ')
    terminal.note(known === '' ? 'There is no config file here.' : `Trusted already: ${known}.`)
    return exitCodes.success
  }
  for (const file of files) {
    await describeFile(file, config, terminal)
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
    terminal.print(`Trusted ${file.path}, as long as it stays as it is.`)
  }
  return exitCodes.success
}

async function describeFile(file: ConfigFile, config: Config, terminal: Terminal): Promise<void> {
  terminal.note(`${terminal.style.bold(file.path)} (${file.client}) would do this:`)
  const used = await usesIn(file.path)
  for (const server of config.servers.filter((each) => each.file === file.path)) {
    terminal.note(`  ${terminal.style.bold(shown(server.name))}: ${deedOf(server)}`)
    for (const use of used.get(server.name) ?? []) terminal.note(`    ${use}`)
  }
}

function deedOf({ command, args = [], label, auth, problem }: ConfiguredServer): string {
  if (command !== undefined) return `runs \`${shown([command, ...args].join(' '))}\``
  const target = label === undefined ? `nothing (${shown(problem ?? 'it has no URL')})` : label
  return `connects to ${target} with: ${auth}`
}

/** What each server's entry runs and reads, wherever in it that stands. */
async function usesIn(path: string): Promise<ReadonlyMap<string, readonly string[]>> {
  const [{ parse }, { readFile }] = await Promise.all([
    import('jsonc-parser'),
    import('node:fs/promises'),
  ])
  const text = (await readFile(path, 'utf8')).replace(/^\ufeff/, '')
  const root = (parse(text, [], { allowTrailingComma: true }) ?? {}) as Record<string, unknown>
  const servers = ['mcpServers', 'servers'].flatMap((name) =>
    Object.entries((root[name] ?? {}) as Record<string, unknown>),
  )
  return new Map(servers.map(([name, entry]) => [name, [...new Set(usesOf(entry))]]))
}

function usesOf(value: unknown, member = ''): readonly string[] {
  if (member === 'headersHelper' || (member === 'command' && Array.isArray(value))) {
    return [`runs \`${shown([value].flat().join(' '))}\` for its secrets`]
  }
  if (Array.isArray(value)) return value.flatMap((each) => usesOf(each))
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).flatMap(([name, each]) => usesOf(each, name))
  }
  return typeof value === 'string' ? referencesIn(value) : []
}

function referencesIn(text: string): readonly string[] {
  const command = /^command:(.+)$/s.exec(text)?.[1]
  if (command !== undefined) return [`runs \`${shown(command.trim())}\` for its secrets`]
  const whole = /^(?:env|file|keychain|input):.+$/s.exec(text)?.[0]
  const parts = [...text.matchAll(/\$\{([^{}]+)\}/g)].map(
    ([, name = '']) => name.split(':-')[0] ?? '',
  )
  const names = [...(whole === undefined ? [] : [whole]), ...parts]
  return names
    .filter((name) => name !== 'workspaceFolder' && name !== 'userHome')
    .map((name) => `reads ${shown(/^[a-z]+:/.test(name) ? name : `env:${name}`)}`)
}
