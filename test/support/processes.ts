import { spawnSync } from 'node:child_process'

/** Whether a process is at work. One that has ended may still be listed, until its parent has taken notice. */
export function isRunning(pid: string | number): boolean {
  const { stdout } = spawnSync('ps', ['-o', 'stat=', '-p', String(pid)])
  return !['', 'Z'].includes(String(stdout).trim().slice(0, 1))
}
