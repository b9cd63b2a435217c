/**
 * What to type where no credential was found.
 *
 * @module
 */
import { commandArgument } from '../labels.ts'

/**
 * The commands that provide a credential, and the one that says which of them the server wants.
 *
 * @param account - For whom. Default: the commands name no account.
 */
export function nextSteps(serverUrl: URL, account: string | undefined): string {
  // The text is typed into a shell.
  const isWord = account !== undefined && /^[\w@%+=:,./][\w@%+=:,./-]*$/.test(account)
  const who = isWord ? ` --account ${account}` : ''
  const login = `npx mcp-credentials login ${commandArgument(serverUrl)}${who}`
  const set = `npx mcp-credentials set ${commandArgument(serverUrl)} --header X-API-Key${who}`
  const doctor = `npx mcp-credentials doctor ${commandArgument(serverUrl)}`
  return `Log in: \`${login}\`. Store a key: \`${set}\`. If unsure: \`${doctor}\`.`
}
