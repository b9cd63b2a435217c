/**
 * Asks the user of a client without a session to log in: the response requests input, and the client
 * repeats the request with the user's response (MCP 2026-07-28, Multi Round-Trip Requests).
 *
 * @module
 */
import {
  declaredCapabilitiesOf,
  isObject,
  type JsonObject,
  type Message,
  parseMessage,
  type RequestId,
  showsUrls,
} from './message.ts'

/** The key of the bridge's input request; the server may have requests of its own. */
const inputKey = 'mcp-credentials-login'
/** The requests whose responses may request input. */
const inputMethods: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** The user's response to the request to log in. */
export type LoginConsent = 'given' | 'refused'

/** Whether the response to a message may ask the user to open a URL. */
export function takesLoginInput(message: Message): boolean {
  const { parts } = message
  const [part] = parts
  if (parts.length !== 1 || part?.kind !== 'request' || !inputMethods.has(part.method)) return false
  // The client would lose its own responses to the server.
  const { inputResponses, requestState } = part.params
  if (inputResponses !== undefined || requestState !== undefined) return false
  return showsUrls(declaredCapabilitiesOf(message))
}

/** Creates the response that asks the user to log in. */
export function loginInputText(id: RequestId, url: string, message: string): string {
  const params = { mode: 'url', message, url }
  const inputRequests = { [inputKey]: { method: 'elicitation/create', params } }
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    result: { resultType: 'input_required', inputRequests },
  })
}

/** Removes the response to the bridge's input request from a message, because the server did not request it. */
export function takeLoginConsent(message: Message): {
  readonly message: Message
  /** `undefined`: the message has no such response. */
  readonly consent: LoginConsent | undefined
} {
  const [part] = message.parts
  const responses = part?.kind === 'request' ? part.params['inputResponses'] : undefined
  const own = isObject(responses) ? responses[inputKey] : undefined
  if (!isObject(own)) return { message, consent: undefined }
  const consent = own['action'] === 'accept' ? 'given' : 'refused'
  return { message: withoutConsent(message) ?? message, consent }
}

/** Removes the response; `undefined`: the message cannot be serialized without other changes. */
function withoutConsent({ text }: Message): Message | undefined {
  // Parsing loses the precision of long numbers and the value of large exponents.
  if (/\d{16}|\d[eE][+-]?\d{3}/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value) || !isObject(value['params'])) return undefined
    const { inputResponses, ...params } = value['params']
    const { [inputKey]: _, ...others } = inputResponses as JsonObject
    const rest = Object.keys(others).length === 0 ? {} : { inputResponses: others }
    return parseMessage(JSON.stringify({ ...value, params: { ...params, ...rest } }))
  } catch {
    // The message is nested too deeply.
    return undefined
  }
}
