import { execFile } from 'node:child_process'
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'

/** Opens a page on a simulated Windows machine, on which PowerShell ends like this. */
async function openOnWindows(powerShell: string | undefined): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'windows-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  if (powerShell !== undefined) {
    // This is one file name, because backslashes are no separators here.
    const program = join(folder, String.raw`\System32\WindowsPowerShell\v1.0\powershell.exe`)
    await writeFile(program, `#!/bin/sh\n${powerShell}\n`)
    await chmod(program, 0o700)
  }
  const module = new URL('../../src/oauth/opener.ts', import.meta.url)
  const script = `
    Object.defineProperty(process, 'platform', { value: 'win32' })
    const { openBrowser } = await import(${JSON.stringify(module.href)})
    console.log(await openBrowser('http://127.0.0.1:9/page'))`
  const args = ['--import', 'tsx', '--input-type=module', '--eval', script]
  const env = { ...process.env, SYSTEMROOT: `${folder}/` }
  const { stdout } = await promisify(execFile)(process.execPath, args, { env, timeout: 15_000 })
  return stdout.trim()
}

test.each([
  ['that opened the page', 'exit 0', 'true'],
  ['that could not open it', 'exit 1', 'false'],
  ['that was killed', 'kill -9 $$', 'false'],
  ['that is not there', undefined, 'false'],
])(
  'on Windows, a PowerShell %s is detected immediately',
  async (_what, powerShell, opened) => {
    expect(await openOnWindows(powerShell)).toBe(opened)
  },
  30_000,
)
