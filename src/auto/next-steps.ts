/**
 * The commands to run when no credential was found.
 *
 * @module
 */
import { commandArgument } from '../labels.ts'

/**
 * Names the commands that store a credential, and the command that shows which one the server requires.
 *
 * @param account - The account of the commands. Default: they contain none.
 */
export function nextSteps(serverUrl: URL, account: string | undefined): string {
  // The user copies the text into a shell.
  const isWord = account !== undefined && /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(account)
  const who = isWord ? ` --account ${account}` : ''
  const login = `npx mcp-credentials login ${commandArgument(serverUrl)}${who}`
  const set = `npx mcp-credentials set ${commandArgument(serverUrl)} --header X-API-Key${who}`
  const doctor = `npx mcp-credentials doctor ${commandArgument(serverUrl)}`
  return `Log in: \`${login}\`. Store a key: \`${set}\`. If you do not know which: \`${doctor}\`.`
}
