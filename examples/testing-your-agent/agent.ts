import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { isCredentialError } from 'mcp-credentials'

/** The application: what it tells its user when a call fails is what the test is about. */
export async function ask(client: Client, text: string): Promise<string> {
  try {
    const { content } = await client.callTool({ name: 'echo', arguments: { text } })
    return JSON.stringify(content)
  } catch (error) {
    if (isCredentialError(error, 'login_required')) return 'Please log in again.'
    // The agent's operator must fix permanent errors, such as a missing variable.
    return isCredentialError(error) && error.retryable ? 'Try again soon.' : 'Something is wrong.'
  }
}
