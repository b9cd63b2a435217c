/**
 * The command `headers`: the headers of a request as JSON, for the `headersHelper` of Claude Code.
 *
 * @module
 */
import type { AddCommand } from './command.ts'

const examples = `
The output contains secrets; pass it to a program.

Examples:
  npx mcp-credentials headers https://mcp.example.com/mcp
  In an mcp.json of Claude Code:
    { "mcpServers": { "crm": { "type": "http", "url": "https://mcp.example.com/mcp",
      "headersHelper": "npx mcp-credentials headers https://mcp.example.com/mcp" } } }`

/** Adds the command. */
export const addHeaders: AddCommand = (program, run) => {
  program
    .command('headers')
    .description('print the headers of a request as a JSON object, for a headersHelper')
    .argument('<server>', 'the URL of the server, or its name in the config file')
    .option('--reveal', 'print them even to a terminal, where others may see them')
    .addHelpText('after', examples)
    .action(
      run<{ readonly reveal?: boolean }>(async (invocation, { reveal }, server = '') => {
        const [{ requestHeaders }, { headersOrNone }, { refuseTerminal }] = await Promise.all([
          import('./request-headers.ts'),
          import('./open-server.ts'),
          import('./reveal.ts'),
        ])
        refuseTerminal(invocation.terminal, reveal)
        const found = await headersOrNone(server, invocation, () =>
          requestHeaders(server, invocation),
        )
        if (Object.keys(found.headers).length === 0) {
          invocation.terminal.note(`${found.server.label} requires no credential.`)
        }
        invocation.terminal.print(JSON.stringify(found.headers))
      }),
    )
}
