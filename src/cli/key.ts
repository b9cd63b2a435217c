/**
 * The command `key`: makes a key for the encrypted files of the store, and replaces the one they have.
 *
 * @module
 */
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'

interface RotateOptions {
  readonly previous?: boolean
  readonly previousFile?: string
}

const examples = `
Where there is no keychain, credentials are kept in encrypted files. Their key is that of MCP_CREDENTIALS_KEY, or of
the file that MCP_CREDENTIALS_KEY_FILE names; without them, one is made for this user.

Examples:
  Make a key of your own:
    (umask 077; npx mcp-credentials key make > new.key)
  Encrypt everything with it, in the place of the key that was made by itself:
    MCP_CREDENTIALS_KEY_FILE=new.key npx mcp-credentials key rotate
  In the place of an earlier key of your own:
    MCP_CREDENTIALS_KEY_FILE=new.key npx mcp-credentials key rotate --previous-file old.key`

/** Adds the command. */
export const addKey: AddCommand = (program, run) => {
  const key = program
    .command('key')
    .description('make or replace the key of the encrypted files')
    .addHelpText('after', examples)
  key
    .command('make')
    .description('print a new key')
    .option('--reveal', 'print it even to a terminal, where others may see it')
    .action(
      run<{ readonly reveal?: boolean }>(async ({ terminal }, { reveal }) => {
        const [{ generateKey }, { refuseTerminal }] = await Promise.all([
          import('../stores/file.ts'),
          import('./reveal.ts'),
        ])
        refuseTerminal(terminal, reveal)
        terminal.print(generateKey())
      }),
    )
  key
    .command('rotate')
    .description('encrypt again, with the present key, what an earlier key has encrypted')
    .option('--previous', 'ask for the earlier key')
    .option('--previous-file <file>', 'the file of the earlier key')
    .action(run<RotateOptions>((invocation, options) => rotate(invocation, options)))
}

async function rotate({ terminal }: Invocation, options: RotateOptions): Promise<void> {
  const { defaultStore } = await import('../auto/index.ts')
  const previous = await previousKeys(options, terminal)
  const store = defaultStore()
  const { kind, description } = await store.where()
  if (kind === 'keychain') {
    throw new ConfigurationError('store', `${description} It has no key that could be replaced.`, {
      remedy: 'Nothing is to be done.',
    })
  }
  const count = await store.rekey(previous)
  const what = count === 1 ? 'One record was' : `${count} records were`
  terminal.print(`${what} encrypted again.`)
  terminal.note(description)
}

async function previousKeys(
  { previous, previousFile }: RotateOptions,
  terminal: Invocation['terminal'],
): Promise<readonly string[]> {
  if (previous === true) return [await terminal.askSecret('The earlier key')]
  if (previousFile === undefined) return []
  const { readFile } = await import('node:fs/promises')
  try {
    return [(await readFile(previousFile, 'utf8')).trim()]
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new ConfigurationError(
      'previous-file',
      `The key file ${previousFile} cannot be read (${code}).`,
      { remedy: 'Correct --previous-file.' },
    )
  }
}
