/**
 * Reads the config files that were found, and loads what their servers need.
 *
 * @module
 */
import { dirname } from 'node:path'
import type { CredentialStore } from '../credential.ts'
import { ConfigurationError, type StoreError } from '../errors.ts'
import type { ConfigParts } from './config.ts'
import { type ConfigWarning, type ReadFile, readFile } from './files.ts'
import type { LoadConfigOptions } from './load-options.ts'
import type { Place } from './locations.ts'
import { shown } from './problems.ts'
import type { Tools } from './provider-table.ts'
import { neededModules, serverProvider } from './server-provider.ts'
import { serverUrl } from './server-url.ts'
import type { LoadedServer } from './servers.ts'
import type { Surroundings } from './surroundings.ts'
import { type ConfigFile, judge, type TrustOption } from './trust.ts'

/**
 * Reads the files at some places, the nearest first.
 *
 * @throws {@link ConfigurationError} when a file is broken.
 */
export async function readConfig(
  places: readonly Place[],
  environment: string | undefined,
  options: LoadConfigOptions,
): Promise<Omit<ConfigParts, 'store'>> {
  const { store, trust = 'stored' } = options
  const found: ReadFile[] = []
  const warnings: ConfigWarning[] = []
  for (const place of places) {
    const read = await readFile(place, environment)
    if (read === undefined) continue
    if ('warning' in read) warnings.push(read.warning)
    else found.push(read)
  }
  const files = new Map<string, ConfigFile>()
  const servers = new Map<string, LoadedServer>()
  const failures = new Map<string, StoreError>()
  for (const file of found) {
    const described = await describe(file, files, failures, trust, store)
    warnings.push(...file.warnings)
    const surroundings = surroundingsOf(file, options)
    for (const entry of file.entries) {
      if (servers.has(entry.name)) continue
      const { url: written } = entry
      const at = file.positionOf(entry.offset)
      const target =
        written === undefined ? undefined : serverUrl(written, described.isTrusted, surroundings)
      const failure = failures.get(described.path)
      servers.set(entry.name, { entry, file: described, at, target, surroundings, failure })
    }
  }
  const tools = await loadTools([...servers.values()], options)
  return {
    files: [...files.values()],
    realPaths: new Map(found.map(({ place, content }) => [place.path, content.realPath])),
    servers: [...servers.values()],
    warnings: withoutDuplicates(warnings),
    makeProvider: (parts) => serverProvider({ ...parts, tools }),
  }
}

/** Says what a file is, and whether it is trusted; a file with several scopes is judged once. */
async function describe(
  { place, content, sha256 }: ReadFile,
  files: Map<string, ConfigFile>,
  failures: Map<string, StoreError>,
  trust: TrustOption,
  store: CredentialStore | undefined,
): Promise<ConfigFile> {
  const { path, kind, client } = place
  const known = files.get(path)
  if (known !== undefined) return known
  const file = { path, kind, client, sha256 }
  // What others can write is not the user's own, wherever it lies.
  const isOwn = kind === 'user' && content.isProtected
  const { realPath } = content
  const verdict = isOwn ? { isTrusted: true } : await judge({ ...file, realPath }, trust, store)
  if ('failure' in verdict && verdict.failure !== undefined) failures.set(path, verdict.failure)
  const described = { ...file, isTrusted: verdict.isTrusted }
  files.set(path, described)
  return described
}

function surroundingsOf(
  file: ReadFile,
  { env, home, store, input }: LoadConfigOptions,
): Surroundings {
  const answers = new Map<string, Promise<string>>()
  const ask = async (id: string): Promise<string> => {
    const { description, password = true } = file.inputs.get(id) ?? {}
    if (input !== undefined) return input(id, description, password)
    throw new ConfigurationError('input', `The input \`${shown(id)}\` has to be asked for.`, {
      remedy: 'Run it in a terminal, or pass `input` to loadConfig().',
    })
  }
  return {
    env,
    home,
    // Where the file really is: a link must not lead to programs beside it.
    directory: dirname(file.content.realPath),
    workspace: file.place.workspace,
    store,
    ask(id) {
      const answer = answers.get(id) ?? ask(id)
      answers.set(id, answer)
      answer.catch(() => answers.delete(id))
      return answer
    },
  }
}

/** Loads what the trusted servers need, and nothing else: every module costs time at the start. */
async function loadTools(
  servers: readonly LoadedServer[],
  { onUserCode, onAuthorizationUrl }: LoadConfigOptions,
): Promise<Tools> {
  const needed = new Set(
    servers.flatMap(({ entry, file }) => (file.isTrusted ? [...neededModules(entry)] : [])),
  )
  return {
    ...(needed.has('oauth') || needed.has('workload')
      ? { oauth: await import('../oauth/index.ts') }
      : {}),
    ...(needed.has('workload') ? { workload: await import('../auto/workload.ts') } : {}),
    ...(needed.has('aws') ? { aws: await import('../aws/index.ts') } : {}),
    ...(onUserCode === undefined ? {} : { onUserCode }),
    ...(onAuthorizationUrl === undefined ? {} : { onAuthorizationUrl }),
  }
}

/** A file that is read for several scopes says the same several times. */
function withoutDuplicates(warnings: readonly ConfigWarning[]): readonly ConfigWarning[] {
  const byText = warnings.map((warning) => [Object.values(warning).join('\n'), warning] as const)
  return [...new Map(byText).values()]
}
