/**
 * The folders of this user. What lies there counts as the user's own, so a relative path must never decide where they
 * are: it would lead into whatever folder the process was started in.
 *
 * @module
 */
import { userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { ConfigurationError } from '../errors.ts'

const name = 'mcp-credentials'

/** A path from an environment variable; `undefined`: it is not set, or relative, which the XDG specification ignores. */
export function absolutePath(value: string | undefined): string | undefined {
  return value !== undefined && isAbsolute(value) ? value : undefined
}

/**
 * The home folder of this user: from the environment, or else from the system's list of users.
 *
 * @throws `ConfigurationError` when neither knows an absolute path.
 */
export function homeFolder(): string {
  const variable = process.platform === 'win32' ? 'USERPROFILE' : 'HOME'
  const home = absolutePath(process.env[variable]) ?? absolutePath(systemHome())
  if (home !== undefined) return home
  throw new ConfigurationError(variable, 'The home folder of this user is not known.', {
    remedy: `Set ${variable} to its absolute path.`,
  })
}

function systemHome(): string | undefined {
  try {
    return userInfo().homedir
  } catch {
    // In containers, the user may have a number and no entry.
    return undefined
  }
}

/** The platform's folder for the data of this library, the same that the package env-paths names. */
export function dataDirectory(): string {
  const { platform, env } = process
  if (platform === 'darwin') return join(homeFolder(), 'Library', 'Application Support', name)
  if (platform === 'win32') {
    const local = absolutePath(env['LOCALAPPDATA']) ?? join(homeFolder(), 'AppData', 'Local')
    return join(local, name, 'Data')
  }
  return join(absolutePath(env['XDG_DATA_HOME']) ?? join(homeFolder(), '.local', 'share'), name)
}

/** What the folder for settings depends on. */
export interface SettingsPlace {
  readonly platform: NodeJS.Platform
  readonly home: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The platform's folder for the settings of this library, the same that the package env-paths names. */
export function settingsFolder({ platform, home, env }: SettingsPlace): string {
  if (platform === 'darwin') return join(home, 'Library', 'Preferences', name)
  if (platform === 'win32') {
    const roaming = absolutePath(env['APPDATA']) ?? join(home, 'AppData', 'Roaming')
    return join(roaming, name, 'Config')
  }
  return join(absolutePath(env['XDG_CONFIG_HOME']) ?? join(home, '.config'), name)
}

/** {@link settingsFolder} of this process. */
export function configDirectory(): string {
  return settingsFolder({ platform: process.platform, home: homeFolder(), env: process.env })
}
