/**
 * Calls a selector to choose the provider of a request.
 *
 * @module
 */
import type {
  CredentialProvider,
  CredentialSelector,
  ProviderSelection,
  SelectionRequest,
} from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import type { Call } from './call.ts'
import { parseObject } from './oauth-endpoints.ts'

/** Whether a value is a selector, and not a provider. */
export function isSelector(
  value: CredentialProvider | CredentialSelector,
): value is CredentialSelector {
  return typeof (value as Partial<CredentialSelector> | null)?.select === 'function'
}

/** Returns the input of a selector. The MCP method is read from a body that is one JSON object. */
export function selectionRequestOf({ url, method, init }: Call): SelectionRequest {
  const message = typeof init.body === 'string' ? parseObject(init.body) : undefined
  const mcpMethod =
    message?.['jsonrpc'] === '2.0' && typeof message['method'] === 'string'
      ? message['method']
      : undefined
  const params = mcpMethod === 'tools/call' ? message?.['params'] : undefined
  const name = (params as { name?: unknown } | null | undefined)?.name
  const toolName = typeof name === 'string' ? name : undefined
  return { method, url: new URL(url), mcpMethod, toolName }
}

/**
 * Calls a selector for a key and a provider.
 *
 * @throws `ConfigurationError` when what it returns has no key, `CredentialError` with the code `no_tenant` when
 * it throws; no other key's credential is sent instead.
 */
export function selectProvider(
  selector: CredentialSelector,
  request: SelectionRequest,
): ProviderSelection {
  let selection: ProviderSelection
  try {
    selection = selector.select(request)
  } catch (error) {
    if (isCredentialError(error)) throw error
    throw noTenant(selector, `the function threw (${kindOf(error)})`)
  }
  const key: unknown = selection?.key
  if (typeof key !== 'string' || key === '') {
    // A promise is refused, and its rejection must be handled.
    for (const given of [selection, key, selection?.provider]) {
      Promise.resolve(given as unknown).catch(() => {})
    }
    throw new ConfigurationError(
      `${selector.name}.select`,
      `${selector.name}: \`select\` must return { key, provider } synchronously, with a non-empty text as \`key\`.`,
      { provider: selector.name },
    )
  }
  if (!isWellFormed(key)) throw noTenant(selector, 'the text contains a lone surrogate')
  return selection
}

/** Returns the provider of a selection, which is created when its key is first seen. */
export function providerOf(
  selector: CredentialSelector,
  { key, provider: given }: ProviderSelection,
): CredentialProvider {
  const where = { provider: selector.name, tenant: key }
  const option = `${selector.name}.provider`
  let provider: unknown = given
  try {
    if (typeof given === 'function') provider = given()
  } catch (error) {
    if (isCredentialError(error)) throw error
    const problem = `${selector.name}: the function that makes the provider threw (${kindOf(error)}).`
    throw new ConfigurationError(option, problem, where)
  }
  const { acquire, select } = (provider ?? {}) as { acquire?: unknown; select?: unknown }
  if (typeof acquire === 'function' && select === undefined) return provider as CredentialProvider
  // A promise is refused, and its rejection must be handled.
  Promise.resolve(provider).catch(() => {})
  throw new ConfigurationError(
    option,
    `${selector.name}: the function must return a provider, such as apiKey({ … }), and not a promise.`,
    where,
  )
}

function noTenant({ name }: CredentialSelector, what: string): CredentialError {
  return new CredentialError(
    'no_tenant',
    `${name}: the tenant of the request is not known; ${what}.`,
    { provider: name, remedy: 'Make the request where the tenant is known.' },
  )
}

// The message of a foreign error may quote a secret.
function kindOf(error: unknown): string {
  return error instanceof TypeError ? 'TypeError' : error instanceof Error ? 'Error' : typeof error
}

/** Whether a text has no lone surrogate; such a text cannot be part of a record's key. */
function isWellFormed(text: string): boolean {
  try {
    encodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
