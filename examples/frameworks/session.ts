/** What the clients of this folder share. `run.ts` starts the server and sets the variables. */
import { setTimeout } from 'node:timers/promises'

const { MCP_URL: url = '', MCP_ISSUER: issuer = '', MCP_CONTROL: control = '' } = process.env

/** The MCP server, and the authorization server whose tokens live for five seconds. */
export { issuer, url }

/**
 * Calls the tool `echo` four times: at once, after the token has expired, and twice after the server has revoked the
 * token. Prints what came back, and tells the server.
 *
 * @param call - Calls the tool with this text, and resolves to its result in any form.
 */
export async function callRepeatedly(call: (text: string) => Promise<unknown>): Promise<void> {
  await report(call, 'first call')
  await setTimeout(6000)
  await report(call, 'after expiry')
  await fetch(`${control}/revoke`, { method: 'POST' })
  await report(call, 'after revocation')
  await report(call, 'last call')
}

async function report(call: (text: string) => Promise<unknown>, text: string): Promise<void> {
  const outcome = await call(text).then(
    (result) => (JSON.stringify(result)?.includes(text) ? 'ok' : `wrong: ${line(result)}`),
    (error: unknown) => `failed: ${line(String(error))}`,
  )
  console.log(`  client: ${text}: ${outcome}`)
  await fetch(`${control}/outcome`, { method: 'POST', body: JSON.stringify({ text, outcome }) })
}

const line = (value: unknown): string => JSON.stringify(value).slice(0, 200)
