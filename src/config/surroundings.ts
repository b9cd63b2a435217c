/**
 * What the texts of a config file refer to: the environment, folders, and a person who can be asked.
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

/** What one file's texts refer to. */
export interface Surroundings {
  /** The variables; `undefined`: those of this process, whenever they are read. */
  readonly env: Readonly<Record<string, string | undefined>> | undefined
  readonly home: string | undefined
  /** The folder of the file: paths are relative to it. */
  readonly directory: string
  /** The folder that VS Code and Cursor call `workspaceFolder`, where servers are started. */
  readonly workspace: string
  /** Whether the file lies where a client keeps the user's own. */
  readonly isUserFile: boolean
  readonly store: CredentialStore | undefined
  /** Asks a person for what `${input:id}` stands for. */
  ask(id: string): Promise<string>
}

/** The value of a variable; an empty one counts as not set. */
export function variable({ env: given }: Surroundings, name: string): string | undefined {
  const variables = given ?? process.env
  return Object.hasOwn(variables, name) ? variables[name] || undefined : undefined
}

/** A folder that a text names: `workspaceFolder` or `userHome`. */
export function folder(surroundings: Surroundings, name: string): string | undefined {
  if (name === 'workspaceFolder') return surroundings.workspace
  return name === 'userHome' ? (surroundings.home ?? homeFolder()) : undefined
}

/** A reference to a secret: where it is, and its name there. */
export interface Reference {
  readonly source: 'env' | 'file' | 'keychain' | 'stored' | 'command' | 'input'
  readonly name: string
}

const sources: readonly string[] = ['env', 'file', 'keychain', 'stored', 'command', 'input']

/** Parses a reference such as `env:NAME`; `undefined`: it is none. */
export function parseReference(text: string): Reference | undefined {
  const [, source = '', name = ''] = /^([a-z]+):(.+)$/s.exec(text) ?? []
  if (!sources.includes(source)) return undefined
  return { source: source as Reference['source'], name: name.trim() }
}

/** What is wrong with a reference; `undefined`: nothing. */
export function referenceProblem({ source, name }: Reference): string | undefined {
  if (/\p{Cc}/u.test(name) || name === '') return 'names nothing that can be read'
  if (source === 'env' && !/^[A-Za-z_][\w.]*$/.test(name)) return 'names no environment variable'
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
 * The source that a reference stands for. Nothing is read before the secret is needed.
 *
 * @throws {@link ConfigurationError} when the reference is wrong.
 */
export function secretOf(reference: Reference, surroundings: Surroundings): Secret {
  const problem = referenceProblem(reference)
  if (problem !== undefined) {
    throw new ConfigurationError('config', `A reference ${problem}.`)
  }
  const { source, name } = reference
  switch (source) {
    case 'env':
      return surroundings.env === undefined
        ? env(name)
        : describedAs(`env('${name}')`, () => requiredVariable(surroundings, name))
    case 'file':
      return file(pathOf(surroundings, name))
    case 'keychain':
      return keychainSecret(name)
    case 'stored':
      return storedSecret(storeOf(surroundings), name)
    case 'command': {
      const words = splitCommand(name)
      return command(placedIn(surroundings.directory, 'problem' in words ? [] : words))
    }
    case 'input':
      return describedAs(`input:${name}`, () => surroundings.ask(name))
    default:
      return source satisfies never
  }
}

/** The path that a text names: relative to the file, or to the home folder with `~`. */
export function pathOf({ directory, home }: Surroundings, text: string): string {
  const [, below] = /^~[\\/](.*)$/s.exec(text) ?? []
  return below === undefined ? resolve(directory, text) : join(home ?? homeFolder(), below)
}

/** The store of `loadConfig()`; it holds the secrets that files refer to by name. */
function storeOf({ store }: Surroundings): CredentialStore {
  if (store !== undefined) return store
  throw new ConfigurationError('store', 'A secret is read from the store, and there is none.', {
    remedy: 'Pass `store: defaultStore()` to loadConfig().',
  })
}

/** The keychain's native part is loaded when an entry is read, and not before. */
function keychainSecret(name: string): Secret {
  const slash = name.indexOf('/')
  const [service, account] = [name.slice(0, slash), name.slice(slash + 1)]
  return describedAs(`keychain:${name}`, async () => {
    const { keychainEntry } = await import('../stores/keychain.ts')
    return keychainEntry(service, account)()
  })
}

function requiredVariable(surroundings: Surroundings, name: string): string {
  const value = variable(surroundings, name)
  if (value !== undefined) return value
  throw unset(name)
}

/** The error of a variable that is not set. */
export function unset(name: string): CredentialError {
  const text = `the environment variable ${shown(name)} is not set.`
  return new CredentialError('secret_unavailable', text, {
    retryAfter: 1,
    remedy: `Set ${shown(name)}.`,
  })
}
