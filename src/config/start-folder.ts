/**
 * The folder in which a server is started as a process.
 *
 * @module
 */
import { dirname, join, relative, sep } from 'node:path'
import { isCredentialError } from '../errors.ts'
import type { ServerEntry } from './entry.ts'
import type { Place } from './locations.ts'
import { pathOf, type Surroundings } from './surroundings.ts'
import { expand, parseTemplate, readsAnything } from './template.ts'

/**
 * The folder of the project that a file came with, where clients start its servers; `undefined`: it came with none.
 *
 * @param realPath - Where the file really is: a link must not lead to programs beside it.
 */
export function projectOf({ kind, path, workspace }: Place, realPath: string): string | undefined {
  if (kind !== 'project') return undefined
  const below = join(sep, relative(workspace, path))
  return realPath.endsWith(below) ? realPath.slice(0, -below.length) || sep : dirname(realPath)
}

/**
 * The folder that an entry names, in full; relative to that of the project, or else of its file.
 *
 * @returns `undefined`: it names none, or its file may not read what is in it.
 */
export function namedFolder(
  { cwd, kind }: ServerEntry,
  isTrusted: boolean,
  surroundings: Surroundings,
): { readonly path: string } | { readonly problem: string } | undefined {
  if (cwd === undefined || kind !== 'stdio') return undefined
  if (!isTrusted && readsAnything(parseTemplate(cwd))) return undefined
  const { project, directory } = surroundings
  try {
    const text = expand(cwd, surroundings)
    return { path: pathOf({ ...surroundings, directory: project ?? directory }, text) }
  } catch (error) {
    if (!isCredentialError(error)) throw error
    return { problem: `its \`cwd\` cannot be used: ${error.message.replace(/\.$/, '')}` }
  }
}
