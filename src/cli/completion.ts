/**
 * The command `completion`: prints a script with which a shell completes commands, options and server
 * names.
 *
 * @module
 */
import type { Command } from 'commander'
import type { DefaultStore } from '../auto/index.ts'
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { readConfig } from './server.ts'

const shells = ['bash', 'zsh', 'fish', 'powershell']
const examples = `
The command must be installed: \`npm install --global mcp-credentials\`.

Examples:
  bash:  source <(mcp-credentials completion bash)
  zsh:   source <(mcp-credentials completion zsh)
  fish:  mcp-credentials completion fish | source`

/** Adds the command, and the hidden command that the script calls. */
export const addCompletion: AddCommand = (program, run) => {
  program
    .command('completion')
    .description('print the completion script for a shell')
    .argument('<shell>', shells.join(', '))
    .addHelpText('after', examples)
    .action(
      run(async (_invocation, _options, shell = '') => {
        if (!shells.includes(shell)) {
          throw new ConfigurationError('shell', 'Completion is not available for that shell.', {
            remedy: `Use one of ${shells.join(', ')}.`,
          })
        }
        const { default: tab } = await import('@bomb.sh/tab')
        tab.setup(program.name(), program.name(), shell)
      }),
    )
  program
    .command('complete', { hidden: true })
    .argument('[words...]')
    .allowUnknownOption()
    .action(run((invocation, _options, ...words) => complete(program, invocation, words)))
}

async function complete(
  program: Command,
  invocation: Invocation,
  words: readonly string[],
): Promise<void> {
  const { default: tab } = await import('@bomb.sh/tab')
  const { defaultStore } = await import('../auto/index.ts')
  const store = defaultStore()
  const names = await serverNames(invocation, store)
  const urls = await storedUrls(store)
  const offerNames = (offer: (value: string, description: string) => void) => {
    for (const name of names) offer(name, 'a server of the config file')
    for (const url of urls) offer(url, 'a server with a stored credential')
  }
  for (const option of program.options) addOption(tab, option)
  for (const command of allCommands(program)) {
    const place = tab.command(pathOf(command), command.description())
    for (const option of command.options) addOption(place, option)
    for (const argument of command.registeredArguments) {
      const isServer = ['server', 'name'].includes(argument.name())
      place.argument(argument.name(), isServer ? offerNames : undefined, argument.variadic)
    }
  }
  tab.parse([...words])
}

interface OptionPlace {
  option(name: string, description: string, handler?: () => void): unknown
}

function addOption(place: OptionPlace, option: Command['options'][number]): void {
  const name = option.long?.replace(/^--/, '')
  if (name === undefined) return
  if (option.required || option.optional) place.option(name, option.description, () => {})
  else place.option(name, option.description)
}

function allCommands(program: Command): readonly Command[] {
  return program.commands
    .filter((command) => command.name() !== 'complete')
    .flatMap((command) => [command, ...allCommands(command)])
}

function pathOf(command: Command): string {
  const { parent } = command
  const isTop = parent === null || parent.parent === null
  return isTop ? command.name() : `${pathOf(parent)} ${command.name()}`
}

/** The server names in the config files. Completion reports no errors. */
async function serverNames(
  invocation: Invocation,
  store: DefaultStore,
): Promise<readonly string[]> {
  try {
    const { servers } = await readConfig(invocation, store)
    return servers.map(({ name }) => name).filter((name) => /^[\w.-]+$/.test(name))
  } catch {
    return []
  }
}

/** The URLs with a stored credential. URLs whose path may contain a secret are left out. */
async function storedUrls(store: DefaultStore): Promise<readonly string[]> {
  try {
    const { listSaved } = await import('../auto/index.ts')
    const saved = await listSaved(store)
    const shown = saved.filter(({ url, resource }) => url === resource).map(({ url }) => url)
    return [...new Set(shown)]
  } catch {
    return []
  }
}
