import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { isCredentialError } from 'mcp-credentials'

/** The application: what it tells its user when a call fails is what the test is about. */
export async function ask(client: Client, text: string): Promise<string> {
  try {
    const { content } = await client.callTool({ name: 'echo', arguments: { text } })
    return JSON.stringify(content)
  } catch (error) {
    if (isCredentialError(error, 'login_required')) return 'Please log in again.'
    // What does not pass by itself, such as a variable that is not set, is for the operator of the agent.
    return isCredentialError(error) && error.retryable ? 'Try again soon.' : 'Something is wrong.'
  }
}
