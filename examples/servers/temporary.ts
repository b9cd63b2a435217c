import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Makes a folder that is deleted when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mcp-example-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/**
 * Makes a home folder for the default store, so that an example leaves the keychain and the files of the user alone,
 * and returns the environment of processes that use it too.
 */
export function temporaryHome(): Record<string, string> {
  const home = temporaryFolder()
  const own = {
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CONFIG_HOME: join(home, 'config'),
    MCP_CREDENTIALS_STORE: 'file',
  }
  Object.assign(process.env, own)
  return { PATH: process.env['PATH'] ?? '', ...own }
}
