/**
 * How a client without a session is asked to log in: the answer to its request asks for input, and the client sends
 * the request again with its user's answer (MCP 2026-07-28, Multi Round-Trip Requests).
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

/** Names our question among those that the server may have asked. */
const inputKey = 'mcp-credentials-login'
/** The requests whose answers may ask for input. */
const inputMethods: ReadonlySet<string> = new Set(['tools/call', 'prompts/get', 'resources/read'])

/** What a user answered who was asked to log in. */
export type LoginConsent = 'given' | 'refused'

/** Whether the answer to a message may ask its user to open a URL. */
export function takesLoginInput(message: Message): boolean {
  const { parts } = message
  const [part] = parts
  if (parts.length !== 1 || part?.kind !== 'request' || !inputMethods.has(part.method)) return false
  // The client would forget what it was about to answer the server.
  const { inputResponses, requestState } = part.params
  if (inputResponses !== undefined || requestState !== undefined) return false
  return showsUrls(declaredCapabilitiesOf(message))
}

/** The answer that asks a user to log in. */
export function loginInputText(id: RequestId, url: string, message: string): string {
  const params = { mode: 'url', message, url }
  const inputRequests = { [inputKey]: { method: 'elicitation/create', params } }
  return JSON.stringify({
    jsonrpc: '2.0',
    id,
    result: { resultType: 'input_required', inputRequests },
  })
}

/** Takes the answer to our question out of a message, which the server did not ask. */
export function takeLoginConsent(message: Message): {
  readonly message: Message
  /** `undefined`: the message does not answer it. */
  readonly consent: LoginConsent | undefined
} {
  const [part] = message.parts
  const responses = part?.kind === 'request' ? part.params['inputResponses'] : undefined
  const own = isObject(responses) ? responses[inputKey] : undefined
  if (!isObject(own)) return { message, consent: undefined }
  const consent = own['action'] === 'accept' ? 'given' : 'refused'
  return { message: withoutConsent(message) ?? message, consent }
}

/** `undefined`: it cannot be written anew without a change of something else. */
function withoutConsent({ text }: Message): Message | undefined {
  // Numbers of so many digits are not exact, and those of such an exponent are none.
  if (/\d{16}|\d[eE][+-]?\d{3}/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    if (!isObject(value) || !isObject(value['params'])) return undefined
    const { inputResponses, ...params } = value['params']
    const { [inputKey]: _, ...others } = inputResponses as JsonObject
    const rest = Object.keys(others).length === 0 ? {} : { inputResponses: others }
    return parseMessage(JSON.stringify({ ...value, params: { ...params, ...rest } }))
  } catch {
    // It is nested too deeply.
    return undefined
  }
}
