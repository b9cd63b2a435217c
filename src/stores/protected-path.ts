/**
 * Whether other users of this machine can change a file, or put another one in its place.
 *
 * @module
 */
import type { Stats } from 'node:fs'
import { lstat, readlink, realpath } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'

type Rights = Pick<Stats, 'uid' | 'gid' | 'mode'>

/** As many links as Linux follows. */
const mostLinks = 40

/**
 * Whether only this user and the administrator can change what is found at a path: the file, every folder above it,
 * and the same of each link on the way. Always true on Windows, where others have no access to a user's folders.
 *
 * @throws What `node:fs` throws, when a part of the path is gone.
 */
export async function isProtectedPath(path: string, links: number = mostLinks): Promise<boolean> {
  if (process.platform === 'win32') return true
  for (let part = resolve(path); ; part = dirname(part)) {
    const stats = await lstat(part)
    if (stats.isSymbolicLink()) {
      // Everyone may "write" a link; what counts is who can replace it, and where it leads.
      if (links === 0 || !isOwner(stats)) return false
      const target = resolve(await realpath(dirname(part)), await readlink(part))
      if (!(await isProtectedPath(target, links - 1))) return false
    } else if (!(stats.isDirectory() ? keepsFiles(stats) : isOwn(stats))) return false
    if (dirname(part) === part) return true
  }
}

function isOwner({ uid }: Rights): boolean {
  return uid === 0 || uid === process.getuid?.()
}

/**
 * Whether nobody else can write a file, or put another file into a folder. A group that has the number of its user is
 * that user's own; systems that give each user such a group let it write by default.
 */
function isOwn(stats: Rights): boolean {
  const { uid, gid, mode } = stats
  return isOwner(stats) && (mode & 0o002) === 0 && ((mode & 0o020) === 0 || gid === uid)
}

/** Whether others cannot replace what is in a folder; with the sticky bit, each can replace only files of their own. */
function keepsFiles(folder: Rights): boolean {
  return isOwn(folder) || (isOwner(folder) && (folder.mode & 0o1000) !== 0)
}
