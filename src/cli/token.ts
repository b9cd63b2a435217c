/**
 * The command `token`: prints the bearer token for a server, for scripts.
 *
 * @module
 */
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { commandWord } from './labels.ts'

const examples = `
An expired token is renewed first. The output must be a pipe or file; for a terminal, add --reveal.

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
  const [{ requestHeaders }, { headersOrNone }, { refuseTerminal }] = await Promise.all([
    import('./request-headers.ts'),
    import('./open-server.ts'),
    import('./reveal.ts'),
  ])
  refuseTerminal(invocation.terminal, reveal)
  const { server, headers } = await headersOrNone(given, invocation, () =>
    requestHeaders(given, invocation),
  )
  const { label } = server
  if (Object.keys(headers).length === 0) {
    const problem = `${label} requires no credential, so there is no token.`
    throw new ConfigurationError('server', problem, { remedy: 'Connect to it without a token.' })
  }
  const text = /^Bearer (\S+)$/i.exec(headers['authorization'] ?? '')?.[1]
  if (text === undefined) {
    throw new ConfigurationError('server', `The credential of ${label} is not a bearer token.`, {
      remedy: `Run \`npx mcp-credentials headers ${commandWord(label)}\` to print its headers.`,
    })
  }
  invocation.terminal.print(text)
}
