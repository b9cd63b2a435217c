import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** A program that is run in a folder. */
export interface Run {
  readonly program: string
  readonly args: readonly string[]
  readonly folder: string
  readonly env?: Readonly<Record<string, string>>
}

/** The environment without what npm and vitest put there for their children. */
export function ownEnvironment(): Record<string, string | undefined> {
  const own = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|INIT_CWD|NODE_OPTIONS|NODE_ENV|VITEST)/.test(name),
  )
  return Object.fromEntries(own)
}

/** Runs a program, and returns what it printed. */
export async function run({ program, args, folder, env = {} }: Run): Promise<string> {
  const options = { cwd: folder, timeout: 110_000, env: { ...ownEnvironment(), ...env } }
  const { stdout } = await promisify(execFile)(program, args, options)
  return stdout
}

/** The packed tarball, in a folder of its own. */
export interface Workshop extends AsyncDisposable {
  readonly tarball: string
  /** Makes an empty project. */
  project(name: string, files?: Readonly<Record<string, string>>): Promise<string>
}

/** Packs the package as it is built now. */
export async function openWorkshop(): Promise<Workshop> {
  const folder = await mkdtemp(join(tmpdir(), 'installed-'))
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder]
  const [packed] = JSON.parse(await run({ program: 'npm', args, folder: root })) as [
    { filename: string },
  ]
  // A name without the version, as each package manager caches by it.
  const tarball = join(folder, packed.filename)
  return {
    tarball,
    async project(name, files = {}) {
      const path = join(folder, name)
      await mkdir(path)
      const manifest = { name, private: true, version: '1.0.0' }
      await writeFile(join(path, 'package.json'), JSON.stringify(manifest))
      for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text)
      await cp(new URL('consumer', import.meta.url), path, { recursive: true })
      return path
    },
    async [Symbol.asyncDispose]() {
      await rm(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
