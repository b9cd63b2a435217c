/**
 * Makes the command of the package: its own code and the packages that it alone uses, in few files. Node finds, reads and
 * compiles each file by itself, which takes a fresh process longer than all that a command does.
 *
 * The packages that the library uses too are left outside, where they are updated without us; but not those small ones that
 * nearly every command needs.
 *
 * @module
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'dist/cli')
/** Packages of the library that the command has a copy of. */
const copied = ['env-paths', 'eventsource-parser', 'ipaddr.js', 'jsonc-parser']
/** Licences that ask for no more than their text to be passed on. */
const licences = ['0BSD', 'BSD-2-Clause', 'BSD-3-Clause', 'ISC', 'MIT']

interface Manifest {
  readonly name: string
  readonly version: string
  readonly license: string
  readonly author?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

async function manifestOf(path: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(path, 'package.json'), 'utf8')) as Manifest
}

/** Writes the files of the command, and names those that went into them. */
async function bundle(): Promise<readonly string[]> {
  const { dependencies, optionalDependencies, peerDependencies } = await manifestOf(root)
  const outside = { ...dependencies, ...optionalDependencies, ...peerDependencies }
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/main.ts'],
    outdir: folder,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    // The CommonJS form of one of the packages hides what it loads.
    mainFields: ['module', 'main'],
    external: Object.keys(outside).filter((name) => !copied.includes(name)),
    minifyWhitespace: true,
    legalComments: 'none',
    // Some of the packages are CommonJS.
    banner: {
      js: "import{createRequire as createRequireOfCommand}from'node:module';const require=createRequireOfCommand(import.meta.url);",
    },
    metafile: true,
    logLevel: 'warning',
  })
  return Object.keys(metafile.inputs)
}

/** The folders of the packages that files are of. */
function packagesOf(files: readonly string[]): readonly string[] {
  const folders = files.map((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0])
  return [...new Set(folders)].filter((path) => path !== undefined).sort()
}

/** The licence of a package, as its text. */
async function noticeOf(path: string): Promise<string> {
  const { name, version, license, author = 'its authors' } = await manifestOf(join(root, path))
  if (!licences.includes(license)) {
    throw new Error(
      `${name} has the licence ${license}: see whether it may be part of the command.`,
    )
  }
  const file = (await readdir(join(root, path))).find((entry) => /^licen[cs]e/i.test(entry))
  if (file === undefined) return `${name} ${version} (${license}), by ${author}\n`
  const text = await readFile(join(root, path, file), 'utf8')
  return `${name} ${version} (${license})\n\n${text.trim()}\n`
}

await rm(folder, { recursive: true, force: true })
const notices = await Promise.all(packagesOf(await bundle()).map(noticeOf))
const introduction = 'The files in this folder contain code of these packages.\n'
const line = `\n${'-'.repeat(72)}\n\n`
await writeFile(join(folder, 'NOTICES.txt'), [introduction, ...notices].join(line))
