/**
 * The public description of the servers of config files.
 *
 * @module
 */
import { serverLabel } from '../labels.ts'
import type { ClientRegistration, ServerEntry } from './entry.ts'
import type { FileContext } from './file-context.ts'
import type { Position } from './problems.ts'
import type { ServerUrl } from './server-url.ts'
import type { ConfigFile, TrustVerdict } from './trust.ts'

/** The URL or folder of a server, or why it is not known. */
type Target = ServerUrl | { readonly path: string }

/** An entry with its file and its expanded values. */
export interface LoadedServer {
  readonly entry: ServerEntry
  readonly file: ConfigFile
  readonly at: Position
  /** The URL of an `http` server, or the folder that a `stdio` entry names. */
  readonly target: Target | undefined
  readonly fileContext: FileContext
  /** Whether the file is trusted. */
  readonly verdict: TrustVerdict
}

/** A server of a config file. */
export interface ConfiguredServer {
  /** Its name in the file. */
  readonly name: string
  /** `http`: it has a URL; `stdio`: it is started as a process. */
  readonly kind: 'http' | 'stdio'
  /**
   * The URL of an `http` server, with its variables expanded. Absent if it cannot be used, which `problem`
   * explains. Its path or query may contain a secret, so show `label`.
   */
  readonly url?: URL
  /** The URL as it may be shown: token-like path segments and query values are shortened. */
  readonly label?: string
  /** The program of a `stdio` server, as written. */
  readonly command?: string
  /** Its arguments, as written. */
  readonly args?: readonly string[]
  /** The absolute path of `cwd` of a `stdio` server. */
  readonly cwd?: string
  /**
   * The folder in which a `stdio` server without `cwd` starts: the project of the config file, or the home
   * folder for the user's own files.
   */
  readonly workspace?: string
  /** The path of the config file. */
  readonly file: string
  /** The line on which the entry starts, from 1. */
  readonly line: number
  /** The chosen environment, if the entry has it. */
  readonly environment?: string
  /** The environments of the entry. */
  readonly environments: readonly string[]
  /** The tenants of the entry, for `inTenant()`. */
  readonly tenants: readonly string[]
  /** Whether its file may run commands and send secrets. */
  readonly isTrusted: boolean
  /** A description of its credential, such as `API key`. */
  readonly auth: string
  /** Whether its credential is the login or key that is stored for the server, if the server requires one. */
  readonly usesSavedLogin: boolean
  /** The client that is registered for the login by another program; it contains no secret. */
  readonly oauth?: ClientRegistration
  /** Why it cannot be used, although its file is valid. */
  readonly problem?: string
}

/** Creates the public description of a server. */
export function describeServer(server: LoadedServer): ConfiguredServer {
  const { entry, file, at, target, fileContext } = server
  const { name, kind, command, args, environment, environments, tenants, description, oauth } =
    entry
  const url = target !== undefined && 'url' in target ? target.url : undefined
  const problem = problemOf(entry, target)
  return {
    name,
    kind,
    ...(url === undefined ? {} : { url, label: serverLabel(url) }),
    ...(kind === 'http' || command === undefined ? {} : { command, args }),
    ...(target !== undefined && 'path' in target ? { cwd: target.path } : {}),
    ...(kind === 'http' ? {} : { workspace: fileContext.workspace }),
    file: file.path,
    line: at.line,
    ...(environment === undefined ? {} : { environment }),
    environments,
    tenants: [...(tenants?.keys() ?? [])],
    isTrusted: file.isTrusted,
    auth: description,
    usesSavedLogin: entry.usesSavedLogin,
    ...(oauth === undefined ? {} : { oauth }),
    ...(problem === undefined ? {} : { problem }),
  }
}

/** Why a server cannot be used; `undefined`: it can. */
export function problemOf(entry: ServerEntry, target: Target | undefined): string | undefined {
  if (entry.problem !== undefined) return entry.problem
  return target !== undefined && 'problem' in target ? target.problem : undefined
}
