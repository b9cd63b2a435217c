/**
 * Creates the provider for a server of a config file.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import type { CredentialProvider, CredentialSelector } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { printable } from '../labels.ts'
import { sourceOf } from '../provider-source.ts'
import { all } from '../providers/combinators.ts'
import { headers } from '../providers/headers.ts'
import { prefixed } from '../secret.ts'
import { makeAuth, modulesOf } from './auth.ts'
import { placedIn } from './command-line.ts'
import { carriesSecret, type ServerEntry } from './entry.ts'
import type { FileContext } from './file-context.ts'
import { headersHelper, isOwnCommand } from './headers-helper.ts'
import { shown } from './problems.ts'
import type { Dependencies, ModuleName } from './provider-table.ts'
import { secretText } from './template.ts'
import { tenantSelector } from './tenants.ts'

/** The parts from which the provider of an entry is created. */
export interface ServerParts {
  readonly entry: ServerEntry
  readonly url: URL
  /** The path of the file. */
  readonly file: string
  /** Where the entry is: file, line and column. */
  readonly where: string
  readonly fileContext: FileContext
  readonly dependencies: Dependencies
}

/** The modules that the provider of an entry requires. */
export function neededModules(entry: ServerEntry): ReadonlySet<ModuleName> {
  const blocks = [
    ...(entry.tenants?.values() ?? []),
    ...(entry.auth === undefined ? [] : [entry.auth]),
  ]
  const needed = new Set(blocks.flatMap((block) => [...modulesOf(block)]))
  return usesSavedLogin(entry) ? needed.add('savedLogin') : needed
}

function usesSavedLogin(entry: ServerEntry): boolean {
  const { auth, tenants, headersHelper: helper } = entry
  if (entry.kind === 'stdio' || auth !== undefined || tenants !== undefined) return false
  return helper === undefined ? !carriesSecret(entry.headers) : isOwnCommand(helper)
}

/**
 * Creates the provider of an entry. Its credentials are sent only to the origin of the entry's URL.
 *
 * @throws {@link ConfigurationError} with the position in the file.
 */
export function serverProvider(parts: ServerParts): CredentialProvider | CredentialSelector {
  const { entry, where } = parts
  const make = (auth: Node | undefined) =>
    located(where, entry.name, () => boundTo(parts, providerOf(parts, auth)))
  const { tenants } = entry
  if (tenants === undefined) return make(entry.auth)
  return tenantSelector(entry.name, [...tenants.keys()], (tenant) => make(tenants.get(tenant)))
}

function providerOf(parts: ServerParts, auth: Node | undefined): CredentialProvider {
  const { entry, fileContext, dependencies } = parts
  const providers: CredentialProvider[] = []
  if (entry.headers.size > 0) {
    const values = [...entry.headers].map(([name, text]) => {
      return [name, secretText(`headers['${shown(name)}']`, text, fileContext)] as const
    })
    providers.push(headers(Object.fromEntries(values)))
  }
  // Later providers override headers, as in clients that support `headersHelper`.
  if (auth !== undefined) providers.push(makeAuth(auth, fileContext, dependencies))
  else if (usesSavedLogin(entry)) providers.push(savedLogin(dependencies, entry.headers.size > 0))
  else if (entry.headersHelper !== undefined) {
    providers.push(headersHelper(placedIn(fileContext.directory, entry.headersHelper)))
  }
  const [only, ...others] = providers
  return only !== undefined && others.length === 0 ? only : all(...providers)
}

/**
 * The login of a server that may not require one; the first request shows whether it does. With configured
 * headers, a login is required only after a request was refused.
 */
function savedLogin(
  { savedLogin: make }: Dependencies,
  isBesideHeaders: boolean,
): CredentialProvider {
  if (make === undefined) throw new Error('The module of a provider is not loaded.')
  const login = make()
  if (!isBesideHeaders) return { ...login, discovers: true }
  return {
    ...login,
    async acquire(context) {
      try {
        return await login.acquire(context)
      } catch (error) {
        const isAsked = context.reason !== 'missing' || context.challenges.length > 0
        if (isAsked || !isCredentialError(error, 'login_required')) throw error
        return { apply: () => {} }
      }
    },
  }
}

/** Restricts a provider to one origin, and stores its records in the store of the config. */
function boundTo(
  { url, entry, file, where, fileContext: { store } }: ServerParts,
  provider: CredentialProvider,
): CredentialProvider {
  const name = `the entry \`${shown(entry.name)}\` of ${printable(file)}`
  return {
    ...provider,
    ...(store === undefined ? {} : { store }),
    source(credential) {
      const source = sourceOf(provider.source, credential)
      return source === undefined ? name : `${name} (${source})`
    },
    async acquire(context) {
      if (context.resource.origin === url.origin) {
        return provider.acquire(context).catch((error: unknown) => {
          if (!isCredentialError(error, 'secret_unavailable')) throw error
          throw prefixed(`${where}: server \`${shown(entry.name)}\`: `, error)
        })
      }
      throw new CredentialError(
        'wrong_origin',
        `The credential of the server \`${shown(entry.name)}\` is for ${url.origin}, and was requested for ${context.resource.origin}.`,
        { provider: provider.name, resource: context.resource },
      )
    },
    ...(provider.restore === undefined
      ? {}
      : {
          restore: (record, context) =>
            context.resource.origin === url.origin
              ? provider.restore?.(record, context)
              : undefined,
        }),
  }
}

/** Adds the position in the file to an error of a provider. */
function located<T>(where: string, name: string, make: () => T): T {
  try {
    return make()
  } catch (error) {
    if (!isCredentialError(error)) throw error
    const option = isCredentialError(error, 'configuration') ? error.option : 'config'
    throw new ConfigurationError(option, `${where}: server \`${shown(name)}\`: ${error.message}`)
  }
}
