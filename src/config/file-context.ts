/**
 * Resolves the references of a config file to variables, folders, secrets and inputs.
 *
 * @module
 */
import { join, resolve } from 'node:path'
import type { CredentialStore, Secret } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { command, describedAs, env, file } from '../secret.ts'
import { isSecretsName, storedSecret } from '../stores/named-secrets.ts'
import { homeFolder } from '../stores/user-folders.ts'
import { placedIn, splitCommand } from './command-line.ts'
import { shown } from './problems.ts'

/** The context of one file, in which references are resolved. */
export interface FileContext {
  /** The environment variables; `undefined`: those of this process, at the time of reading. */
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly home: string | undefined
  /** The folder of the file: paths are relative to it. */
  readonly directory: string
  /** The folder that VS Code and Cursor call `workspaceFolder`, where servers are started. */
  readonly workspace: string
  /** Whether the file is the user file of a client. */
  readonly isUserFile: boolean
  readonly store: CredentialStore | undefined
  /** Asks the user for the value of `${input:id}`. */
  ask(id: string): Promise<string>
}

/** The value of a variable; an empty one is treated as unset. */
export function variable({ env: given }: FileContext, name: string): string | undefined {
  const variables = given ?? process.env
  return Object.hasOwn(variables, name) ? variables[name] || undefined : undefined
}

/** The folder `workspaceFolder` or `userHome`. */
export function folder(fileContext: FileContext, name: string): string | undefined {
  if (name === 'workspaceFolder') return fileContext.workspace
  return name === 'userHome' ? (fileContext.home ?? homeFolder()) : undefined
}

/** A reference to a secret: its source, and its name there. */
export interface Reference {
  readonly source: 'env' | 'file' | 'keychain' | 'stored' | 'command' | 'input'
  readonly name: string
}

const sources: readonly string[] = ['env', 'file', 'keychain', 'stored', 'command', 'input']

/** Parses a reference such as `env:NAME`; `undefined`: the text is not one. */
export function parseReference(text: string): Reference | undefined {
  const [, source = '', name = ''] = /^([a-z]+):(.+)$/s.exec(text) ?? []
  if (!sources.includes(source)) return undefined
  return { source: source as Reference['source'], name: name.trim() }
}

/** The problem of a reference; `undefined`: none. */
export function referenceProblem({ source, name }: Reference): string | undefined {
  if (/\p{Cc}/u.test(name) || name === '') return 'has no valid name'
  if (source === 'env' && !/^[A-Za-z_][\w.]*$/.test(name))
    return 'is not a valid name of an environment variable'
  if (source === 'keychain' && !/^[^/]+\/.+$/.test(name)) {
    return 'must name a service and an account: `keychain:my-agent/crm`'
  }
  if (source === 'stored' && !isSecretsName(name)) {
    return 'must name a secret of the store: `stored:github-token`'
  }
  if (source !== 'command') return undefined
  const words = splitCommand(name)
  return 'problem' in words ? words.problem : undefined
}

/**
 * Creates the secret for a reference. It is read when it is needed.
 *
 * @throws {@link ConfigurationError} when the reference is invalid.
 */
export function secretOf(reference: Reference, fileContext: FileContext): Secret {
  const problem = referenceProblem(reference)
  if (problem !== undefined) {
    throw new ConfigurationError('config', `A reference ${problem}.`)
  }
  const { source, name } = reference
  switch (source) {
    case 'env':
      return fileContext.env === undefined
        ? env(name)
        : describedAs(`env('${name}')`, () => requiredVariable(fileContext, name))
    case 'file':
      return file(pathOf(fileContext, name))
    case 'keychain':
      return keychainSecret(name)
    case 'stored':
      return storedSecret(storeOf(fileContext), name)
    case 'command': {
      const words = splitCommand(name)
      return command(placedIn(fileContext.directory, 'problem' in words ? [] : words))
    }
    case 'input':
      return describedAs(`input:${name}`, () => fileContext.ask(name))
    default:
      return source satisfies never
  }
}

/** Resolves a path: relative to the file, or with `~` to the home folder. */
export function pathOf({ directory, home }: FileContext, text: string): string {
  const [, below] = /^~[\\/](.*)$/s.exec(text) ?? []
  return below === undefined ? resolve(directory, text) : join(home ?? homeFolder(), below)
}

/** The store of `loadConfig()`, which contains the named secrets. */
function storeOf({ store }: FileContext): CredentialStore {
  if (store !== undefined) return store
  throw new ConfigurationError('store', 'A reference to a stored secret requires a store.', {
    remedy: 'Pass `store: defaultStore()` to loadConfig().',
  })
}

/** The keychain module is loaded when an entry is read. */
function keychainSecret(name: string): Secret {
  const slash = name.indexOf('/')
  const [service, account] = [name.slice(0, slash), name.slice(slash + 1)]
  return describedAs(`keychain:${name}`, async () => {
    const { keychainEntry } = await import('../stores/keychain.ts')
    return keychainEntry(service, account)()
  })
}

function requiredVariable(fileContext: FileContext, name: string): string {
  const value = variable(fileContext, name)
  if (value !== undefined) return value
  throw unsetVariableError(name)
}

/** The error for an unset variable. */
export function unsetVariableError(name: string): CredentialError {
  const text = `the environment variable ${shown(name)} is not set.`
  return new CredentialError('secret_unavailable', text, {
    retryAfter: 1,
    remedy: `Set ${shown(name)}.`,
  })
}
