/**
 * The folder in which a server is started as a process.
 *
 * @module
 */
import { basename, dirname } from 'node:path'
import { isCredentialError } from '../errors.ts'
import type { ServerEntry } from './entry.ts'
import type { Place } from './locations.ts'
import { pathOf, type Surroundings } from './surroundings.ts'
import { expand, parseTemplate, readsAnything } from './template.ts'

/**
 * The folder for which a file configures servers, where clients start them: the project of a project's file, the home
 * folder for the user's own.
 *
 * @param realPath - Where the file really is: a link must not lead to programs beside it.
 */
export function workspaceOf({ kind, workspace }: Place, realPath: string): string {
  if (kind === 'user') return workspace
  const folder = dirname(realPath)
  return clientFolders.includes(basename(folder)) ? dirname(folder) : folder
}

/** Folders of a project in which clients keep their files. */
const clientFolders: readonly string[] = ['.cursor', '.vscode']

/**
 * The folder that an entry names, in full; relative to that of the project, or to that of the user's own file.
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
  const { isUserFile, workspace, directory } = surroundings
  try {
    const text = expand(cwd, surroundings)
    const base = isUserFile ? directory : workspace
    return { path: pathOf({ ...surroundings, directory: base }, text) }
  } catch (error) {
    if (!isCredentialError(error)) throw error
    return { problem: `its \`cwd\` cannot be used: ${error.message.replace(/\.$/, '')}` }
  }
}
