/**
 * The command `key`: generates and replaces the key of the encrypted files of the store.
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
Without a keychain, credentials are stored in encrypted files. The key is the value of MCP_CREDENTIALS_KEY or the content
of the file in MCP_CREDENTIALS_KEY_FILE; if neither is set, a key is generated for this user.

Examples:
  Generate your own key:
    (umask 077; npx mcp-credentials key make > new.key)
  Encrypt all records with it instead of the generated key:
    MCP_CREDENTIALS_KEY_FILE=new.key npx mcp-credentials key rotate
  Replace your own earlier key:
    MCP_CREDENTIALS_KEY_FILE=new.key npx mcp-credentials key rotate --previous-file old.key`

/** Adds the command. */
export const addKey: AddCommand = (program, run) => {
  const key = program
    .command('key')
    .description('generate or replace the key of the encrypted files')
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
    .description('encrypt the records of an earlier key with the current key')
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
    throw new ConfigurationError('store', `${description} The keychain has no key to replace.`, {
      remedy: 'No action is needed.',
    })
  }
  const count = await store.rekey(previous)
  const what = count === 1 ? 'One record was' : `${count} records were`
  terminal.print(`${what} encrypted with the current key.`)
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
