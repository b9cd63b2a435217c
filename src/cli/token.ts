/**
 * The command `token`: the bearer token for a server, for scripts.
 *
 * @module
 */
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { commandWord } from './labels.ts'

const examples = `
The token is renewed first where that is due. It goes to a pipe; to a terminal only with --reveal.

Examples:
  npx mcp-credentials token https://mcp.example.com/mcp | some-program --token-stdin
  npx mcp-credentials token https://mcp.example.com/mcp --reveal`

/** Adds the command. */
export const addToken: AddCommand = (program, run) => {
  program
    .command('token')
    .description('print the token that is sent to a server')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .option('--reveal', 'print it even to a terminal, where others may see it')
    .addHelpText('after', examples)
    .action(
      run<{ readonly reveal?: boolean }>((invocation, { reveal }, server = '') =>
        token(invocation, reveal, server),
      ),
    )
}

async function token(
  invocation: Invocation,
  reveal: boolean | undefined,
  given: string,
): Promise<void> {
  const [{ lentHeaders }, { headersOrNone }, { refuseTerminal }] = await Promise.all([
    import('./lent-headers.ts'),
    import('./open-server.ts'),
    import('./reveal.ts'),
  ])
  refuseTerminal(invocation.terminal, reveal)
  const { server, headers } = await headersOrNone(given, invocation, () =>
    lentHeaders(given, invocation),
  )
  const { label } = server
  if (Object.keys(headers).length === 0) {
    const problem = `${label} answers without a credential, so there is no token.`
    throw new ConfigurationError('server', problem, { remedy: 'Connect to it without one.' })
  }
  const text = /^Bearer (\S+)$/i.exec(headers['authorization'] ?? '')?.[1]
  if (text === undefined) {
    throw new ConfigurationError('server', `What is sent to ${label} is no token.`, {
      remedy: `Run \`npx mcp-credentials headers ${commandWord(label)}\` for what it is.`,
    })
  }
  invocation.terminal.print(text)
}
