/**
 * The places that are searched for config files.
 *
 * @module
 */
import { stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { absolutePath, homeFolder, settingsFolder } from '../stores/user-folders.ts'

/** A possible place of a config file. */
export interface Place {
  readonly path: string
  /** `chosen`: named by the application or the user; `project`: part of a project; `user`: the user's own. */
  readonly kind: 'chosen' | 'project' | 'user'
  /** The client that uses the file, such as `Claude Code`. */
  readonly client: string
  /** The path to the servers within the file. Default: the root. */
  readonly within?: readonly string[]
  /** The folder for which the file configures servers, if the file is not a link. */
  readonly workspace: string
}

/** The properties of a machine that determine the places. */
export interface Machine {
  readonly platform: NodeJS.Platform
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The search options of `loadConfig()`. */
export interface Search {
  readonly path?: string
  readonly cwd?: string
  readonly home?: string
  readonly env?: Readonly<Record<string, string | undefined>>
}

const own = 'mcp-credentials'
const projectFiles: readonly (readonly [file: string, client: string])[] = [
  ['.mcp.json', 'Claude Code'],
  ['.cursor/mcp.json', 'Cursor'],
  ['.vscode/mcp.json', 'VS Code'],
  ['mcp.json', own],
]
const repositories: readonly string[] = ['.git', '.hg', '.jj']

/** The places of a search, in order of precedence. */
export async function placesFor(search: Search): Promise<readonly Place[]> {
  const { cwd = process.cwd(), home = homeFolder(), env = process.env } = search
  const machine = { platform: process.platform, home, env }
  const chosen = search.path ?? (env['MCP_CREDENTIALS_CONFIG'] || undefined)
  return chosen === undefined ? places(cwd, machine) : [chosenPlace(chosen, cwd, machine)]
}

/**
 * Whether one of the places has a file. A chosen file counts even if it is missing, because its reader
 * reports that.
 */
export async function hasAnyFile(all: readonly Place[]): Promise<boolean> {
  const taken = await Promise.all(
    all.map(async ({ kind, path }) => kind === 'chosen' || !(await isMissing(path))),
  )
  return taken.includes(true)
}

/** Whether there is no file. Other errors are reported by the reader. */
async function isMissing(path: string): Promise<boolean> {
  try {
    await stat(path)
    return false
  } catch (error) {
    return ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')
  }
}

/**
 * The places in order of precedence: Claude Code's entries for this project, the project's files from the
 * folder up to the root of the repository, then the user's own files.
 */
export async function places(cwd: string, machine: Machine): Promise<readonly Place[]> {
  const user = userPlaces(machine)
  const owned = new Set(user.map(({ path }) => path))
  const folders = await projectFolders(cwd)
  const claude = user.find(({ client }) => client === 'Claude Code')
  const local = folders.map((folder) => ({ folder, within: ['projects', folder] }))
  const project = folders.flatMap((folder) =>
    projectFiles.map(([file, client]): Place => {
      return { path: join(folder, file), kind: 'project', client, workspace: folder }
    }),
  )
  return [
    ...(claude === undefined
      ? []
      : local.map(({ folder, within }): Place => ({ ...claude, within, workspace: folder }))),
    ...project.filter(({ path }) => !owned.has(path)),
    ...user,
  ]
}

/** The place of a chosen file; a user file keeps its kind. */
export function chosenPlace(path: string, cwd: string, machine: Machine): Place {
  const full = resolve(cwd, path)
  const found = userPlaces(machine).find((place) => place.path === full)
  return found ?? { path: full, kind: 'chosen', client: own, workspace: dirname(full) }
}

/** The folder and its parents up to the root of its repository; without a repository, only the folder. */
async function projectFolders(cwd: string): Promise<readonly string[]> {
  const folders: string[] = []
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    folders.push(folder)
    const marks = await Promise.all(repositories.map((mark) => exists(join(folder, mark))))
    if (marks.includes(true)) return folders
    // Without a repository, other users may have placed files in parent folders.
    if (dirname(folder) === folder) return folders.slice(0, 1)
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path)
    return true
  } catch {
    return false
  }
}

/** The user's own files. This library's file has precedence. */
function userPlaces({ platform, home, env }: Machine): readonly Place[] {
  const roaming = absolutePath(env['APPDATA']) ?? join(home, 'AppData', 'Roaming')
  const support = join(home, 'Library', 'Application Support')
  const xdg = absolutePath(env['XDG_CONFIG_HOME']) ?? join(home, '.config')
  const config = platform === 'win32' ? roaming : platform === 'darwin' ? support : xdg
  const files: readonly (readonly [path: string, client: string])[] = [
    [join(settingsFolder({ platform, home, env }), 'mcp.json'), own],
    [join(home, '.claude.json'), 'Claude Code'],
    [join(config, 'Claude', 'claude_desktop_config.json'), 'Claude Desktop'],
    [join(home, '.cursor', 'mcp.json'), 'Cursor'],
    [join(config, 'Code', 'User', 'mcp.json'), 'VS Code'],
    [join(home, '.codeium', 'windsurf', 'mcp_config.json'), 'Windsurf'],
  ]
  return files.map(([path, client]) => ({ path, kind: 'user', client, workspace: home }))
}
