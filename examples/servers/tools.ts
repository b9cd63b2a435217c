/**
 * What the examples have in common: they call the tools of a server, and show what the servers saw.
 *
 * @module
 */

/** A client of version 1 or 2 of the SDK. */
interface ToolClient {
  listTools(): Promise<{ readonly tools: readonly { readonly name: string }[] }>
  callTool(params: {
    name: string
    arguments?: Record<string, unknown>
  }): Promise<{ readonly [name: string]: unknown }>
}

/** Prints a line of a server, indented: calls of tools, requests for tokens, and everything that was refused. */
export function show(line: string): void {
  if (line.includes('/.well-known/')) return
  if (/ tools\/call | \/(token|reg|device)\b| → [45]\d\d/.test(line)) console.log(`  ${line}`)
}

/** The text of a tool result. */
export function textOf(answer: { readonly [name: string]: unknown }): string {
  const [first] = answer['content'] as { readonly text?: string }[]
  return first?.text ?? ''
}

/** Calls `whoami`, prints the result and returns it. */
export async function whoami(client: ToolClient): Promise<string> {
  const text = textOf(await client.callTool({ name: 'whoami' }))
  console.log(`whoami: ${text}`)
  return text
}

/** Calls `echo`, prints the result and returns it. */
export async function echo(client: ToolClient, text: string): Promise<string> {
  const answer = textOf(await client.callTool({ name: 'echo', arguments: { text } }))
  console.log(`echo: ${answer}`)
  return answer
}

/** Lists the tools of a server, calls `echo` and `whoami`, and returns the result of the latter. */
export async function tryTools(client: ToolClient): Promise<string> {
  const { tools } = await client.listTools()
  console.log(`tools: ${tools.map(({ name }) => name).join(', ')}`)
  await echo(client, 'hello')
  return whoami(client)
}
