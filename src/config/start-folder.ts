/**
 * The folder in which a `stdio` server starts.
 *
 * @module
 */
import { basename, dirname } from 'node:path'
import { isCredentialError } from '../errors.ts'
import type { ServerEntry } from './entry.ts'
import { type FileContext, pathOf } from './file-context.ts'
import type { Place } from './locations.ts'
import { expand, parseTemplate, readsAnything } from './template.ts'

/**
 * The folder in which clients start the servers of a file: the project for a project file, the home folder
 * for the user's own.
 *
 * @param realPath - The resolved path of the file: a link must not select the programs beside it.
 */
export function workspaceOf({ kind, workspace }: Place, realPath: string): string {
  if (kind === 'user') return workspace
  const folder = dirname(realPath)
  return clientFolders.includes(basename(folder)) ? dirname(folder) : folder
}

/** Folders of a project that contain the files of clients. */
const clientFolders: readonly string[] = ['.cursor', '.vscode']

/**
 * The absolute path of the `cwd` of an entry, relative to the project, or to the folder of the user's own
 * file.
 *
 * @returns `undefined`: the entry has no `cwd`, or its file may not read the variables in it.
 */
export function namedFolder(
  { cwd, kind }: ServerEntry,
  isTrusted: boolean,
  fileContext: FileContext,
): { readonly path: string } | { readonly problem: string } | undefined {
  if (cwd === undefined || kind !== 'stdio') return undefined
  if (!isTrusted && readsAnything(parseTemplate(cwd))) return undefined
  const { isUserFile, workspace, directory } = fileContext
  try {
    const text = expand(cwd, fileContext)
    const base = isUserFile ? directory : workspace
    return { path: pathOf({ ...fileContext, directory: base }, text) }
  } catch (error) {
    if (!isCredentialError(error)) throw error
    return { problem: `its \`cwd\` cannot be used: ${error.message.replace(/\.$/, '')}` }
  }
}
