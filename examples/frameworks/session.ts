/** What the clients of this folder share. `npm run frameworks` starts the server and sets the variables. */
import { setTimeout } from 'node:timers/promises'

const { MCP_URL: url = '', MCP_ISSUER: issuer = '' } = process.env
const { MCP_CONTROL: control = '', MCP_TOKEN_SECONDS: seconds = '5' } = process.env

/** The MCP server, and the authorization server that it accepts tokens of. */
export { issuer, url }

/**
 * Calls the tool `echo` four times in one session: immediately, after the token has expired, and twice after the server has
 * revoked the next token. Prints what came back, and reports it to the server.
 *
 * @param call - Calls the tool with this text, and resolves to its result in any form.
 */
export async function callRepeatedly(call: (text: string) => Promise<unknown>): Promise<void> {
  await report(call, 'first call')
  await setTimeout((Number(seconds) + 1) * 1000)
  await report(call, 'after expiry')
  await fetch(`${control}/revoke`, { method: 'POST' })
  await report(call, 'after revocation')
  await report(call, 'last call')
}

async function report(call: (text: string) => Promise<unknown>, text: string): Promise<void> {
  const outcome = await call(text).then(
    (result) => {
      const answer = JSON.stringify(result) ?? 'nothing'
      return answer.includes(text) ? 'ok' : `wrong: ${shortened(answer)}`
    },
    (error: unknown) => `failed: ${shortened(String(error))}`,
  )
  console.log(`${text}: ${outcome}`)
  await fetch(`${control}/outcome`, { method: 'POST', body: JSON.stringify({ text, outcome }) })
}

const shortened = (text: string): string => text.replace(/\s+/g, ' ').slice(0, 120)
