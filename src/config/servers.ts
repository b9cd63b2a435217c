/**
 * The servers of config files, as a user of the library sees them.
 *
 * @module
 */
import { serverLabel } from '../labels.ts'
import type { ClientRegistration, ServerEntry } from './entry.ts'
import type { Position } from './problems.ts'
import type { ServerUrl } from './server-url.ts'
import type { Surroundings } from './surroundings.ts'
import type { ConfigFile, TrustVerdict } from './trust.ts'

/** Where a server is, or why that is not known. */
type Target = ServerUrl | { readonly path: string }

/** An entry with everything that is known about it. */
export interface LoadedServer {
  readonly entry: ServerEntry
  readonly file: ConfigFile
  readonly at: Position
  /** Where it is: its URL, or the folder that the entry of a process names. */
  readonly target: Target | undefined
  readonly surroundings: Surroundings
  /** What is known of the trust in the file. */
  readonly verdict: TrustVerdict
}

/** A server of a config file. */
export interface ConfiguredServer {
  /** Its name in the file. */
  readonly name: string
  /** `http`: it has a URL; `stdio`: it is started as a process. */
  readonly kind: 'http' | 'stdio'
  /**
   * The URL of an `http` server, with its variables expanded. Absent where it cannot be used, which `problem` explains. It may
   * hold a secret in its path or query, so show `label`.
   */
  readonly url?: URL
  /** What may be shown of the URL: segments that look like tokens, and values of the query that may, are shortened. */
  readonly label?: string
  /** The program of a `stdio` server, as it is written. */
  readonly command?: string
  /** Its arguments, as they are written. */
  readonly args?: readonly string[]
  /** The folder that the entry of a `stdio` server names as `cwd`, in full. */
  readonly cwd?: string
  /**
   * The folder in which a `stdio` server starts that names no `cwd`: that of the project which the config file came
   * with, or the home folder for the user's own files.
   */
  readonly workspace?: string
  /** The path of the config file. */
  readonly file: string
  /** Where the entry begins in it, from 1. */
  readonly line: number
  /** The environment that was chosen, where the entry has it. */
  readonly environment?: string
  /** The environments of the entry. */
  readonly environments: readonly string[]
  /** The tenants of the entry, for `inTenant()`. */
  readonly tenants: readonly string[]
  /** Whether its file may run commands and send secrets. */
  readonly isTrusted: boolean
  /** How it proves who the client is, in words, such as `API key`. */
  readonly auth: string
  /** The client that another program registered for the login; it holds no secret. */
  readonly oauth?: ClientRegistration
  /** Why it cannot be used although its file can. */
  readonly problem?: string
}

/** What a user sees of a server. */
export function describeServer(server: LoadedServer): ConfiguredServer {
  const { entry, file, at, target, surroundings } = server
  const { name, kind, command, args, environment, environments, tenants, words, oauth } = entry
  const url = target !== undefined && 'url' in target ? target.url : undefined
  const problem = problemOf(entry, target)
  return {
    name,
    kind,
    ...(url === undefined ? {} : { url, label: serverLabel(url) }),
    ...(kind === 'http' || command === undefined ? {} : { command, args }),
    ...(target !== undefined && 'path' in target ? { cwd: target.path } : {}),
    ...(kind === 'http' ? {} : { workspace: surroundings.workspace }),
    file: file.path,
    line: at.line,
    ...(environment === undefined ? {} : { environment }),
    environments,
    tenants: [...(tenants?.keys() ?? [])],
    isTrusted: file.isTrusted,
    auth: words,
    ...(oauth === undefined ? {} : { oauth }),
    ...(problem === undefined ? {} : { problem }),
  }
}

/** Why a server cannot be used, in words; `undefined`: it can. */
export function problemOf(entry: ServerEntry, target: Target | undefined): string | undefined {
  if (entry.problem !== undefined) return entry.problem
  return target !== undefined && 'problem' in target ? target.problem : undefined
}
