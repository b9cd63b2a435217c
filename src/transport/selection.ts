/**
 * Asks a selector which credential serves a request.
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

/** Whether a value chooses among providers, and is none itself. */
export function isSelector(
  value: CredentialProvider | CredentialSelector,
): value is CredentialSelector {
  return typeof (value as Partial<CredentialSelector> | null)?.select === 'function'
}

/** What a selector is told about a request. The method of MCP is read from a body that is one JSON object. */
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
 * Asks a selector for a key and a provider.
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
    // A promise is refused, and its rejection must not go unhandled.
    for (const given of [selection, key, selection?.provider]) {
      Promise.resolve(given as unknown).catch(() => {})
    }
    throw new ConfigurationError(
      `${selector.name}.select`,
      `${selector.name}: \`select\` must return { key, provider } at once, with a text that is not empty as \`key\`, and no promise.`,
      { provider: selector.name },
    )
  }
  if (!isWellFormed(key)) throw noTenant(selector, 'the text contains a lone surrogate')
  return selection
}

/** The provider of a selection, which is made when its key is first seen. */
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
  // A promise is refused, and its rejection must not go unhandled.
  Promise.resolve(provider).catch(() => {})
  throw new ConfigurationError(
    option,
    `${selector.name}: the function must return a provider, such as apiKey({ … }), and no promise.`,
    where,
  )
}

function noTenant({ name }: CredentialSelector, what: string): CredentialError {
  return new CredentialError(
    'no_tenant',
    `${name}: it is not known which tenant the request is for; ${what}.`,
    { provider: name, remedy: 'Make the request where the tenant is known.' },
  )
}

// The text of a foreign error may quote a secret.
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
