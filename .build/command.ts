/**
 * Makes the command of the package: its own code and the packages that it alone uses, in few files. Node finds, reads and
 * compiles each file by itself, which takes a fresh process longer than all that a command does. So what most commands
 * need, `headers` above all, is one file (`common.js`); the rest is loaded when it is needed, and imports that file.
 *
 * The packages that the library uses too are left outside, where they are updated without us; but not those small ones that
 * nearly every command needs.
 *
 * @module
 */
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildOptions, build, type Plugin } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const folder = join(root, 'dist/cli')
const common = './common.js'
/** What is loaded on demand, and is part of the common file all the same, because `headers` needs it. */
const loadedByHeaders = [
  'src/auto/index.ts',
  'src/cli/headers.ts',
  'src/cli/request-headers.ts',
  'src/cli/open-server.ts',
  'src/cli/reveal.ts',
  'src/config/locations.ts',
  'src/oauth/saved-login.ts',
  'src/stores/file.ts',
]
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

async function settings(): Promise<BuildOptions> {
  const { dependencies, optionalDependencies, peerDependencies } = await manifestOf(root)
  const outside = { ...dependencies, ...optionalDependencies, ...peerDependencies }
  return {
    absWorkingDir: root,
    bundle: true,
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
    logLevel: 'warning',
  }
}

/** The file of our own that an import names, from the root; `undefined`: it names a package. */
function ownFile(path: string, directory: string): string | undefined {
  return path.startsWith('.') ? relative(root, resolve(directory, path)) : undefined
}

/** The name of the file that has a module which is loaded on demand. */
function nameOf(file: string): string {
  return file
    .replace(/^src\//, '')
    .replace(/\.ts$/, '')
    .replaceAll('/', '-')
}

/** Leaves outside what is loaded on demand, and takes note of it. */
function onDemand(found: Set<string>): Plugin {
  return {
    name: 'on-demand',
    setup({ onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, kind, resolveDir }) => {
        const file = ownFile(path, resolveDir)
        if (kind !== 'dynamic-import' || file === undefined) return undefined
        if (!file.startsWith('src/') || loadedByHeaders.includes(file)) return undefined
        found.add(file)
        return { path: `./${nameOf(file)}.js`, external: true }
      })
    },
  }
}

/** Takes modules from the common file, so that there is no second copy of their state and classes. */
function fromCommon(exportsOf: ReadonlyMap<string, readonly string[]>): Plugin {
  const files = [...exportsOf.keys()]
  return {
    name: 'from-common',
    setup({ onLoad, onResolve }) {
      onResolve({ filter: /^\./ }, ({ path, resolveDir, namespace }) => {
        if (namespace === 'common') return { path, external: true }
        const file = ownFile(path, resolveDir)
        return file !== undefined && exportsOf.has(file)
          ? { path: file, namespace: 'common', sideEffects: false }
          : undefined
      })
      onLoad({ filter: /./, namespace: 'common' }, ({ path }) => {
        const names = exportsOf.get(path) ?? []
        const module = `module${files.indexOf(path)}`
        return {
          contents: `import { ${module} } from '${common}'\nexport const { ${names.join(', ')} } = ${module}`,
          resolveDir: dirname(join(root, path)),
        }
      })
    },
  }
}

/** What each of our own files exports. */
async function exportsOfAll(files: readonly string[]): Promise<Map<string, readonly string[]>> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [...files],
    outdir: folder,
    outbase: root,
    format: 'esm',
    metafile: true,
    write: false,
  })
  const outputs = Object.values(metafile.outputs)
  const entries = outputs.map(({ entryPoint = '', exports }) => [entryPoint, exports] as const)
  return new Map(entries.filter(([, names]) => names.length > 0))
}

/** Writes the file that is called, which loads the common one when the cache of compiled code is there. */
function bundleMain(shared: BuildOptions) {
  const start: Plugin = {
    name: 'start',
    setup({ onResolve }) {
      onResolve({ filter: /^\.\/start\.ts$/ }, () => ({ path: common, external: true }))
    },
  }
  return build({
    ...shared,
    entryPoints: ['src/cli/main.ts'],
    outdir: folder,
    plugins: [start],
    metafile: true,
  })
}

/** Writes the files of the command, and names those that went into them. */
async function bundle(): Promise<readonly string[]> {
  const shared = await settings()
  const found = new Set<string>()
  const entry = 'src/cli/start.ts'
  const plugins = [onDemand(found)]
  const probe = await build({
    ...shared,
    plugins,
    entryPoints: [entry, ...loadedByHeaders],
    outdir: folder,
    metafile: true,
    write: false,
  })
  const inputs = Object.keys(probe.metafile.inputs)
  const exported = await exportsOfAll(inputs.filter((file) => file.startsWith('src/')))
  const modules = [...exported.keys()].map(
    (file, index) => `export * as module${index} from './${file}'`,
  )
  const contents = [`export * from './${entry}'`, ...modules].join('\n')
  await build({
    ...shared,
    plugins,
    stdin: { contents, resolveDir: root, loader: 'ts' },
    outfile: join(folder, basename(common)),
  })
  const rest = await build({
    ...shared,
    entryPoints: Object.fromEntries([...found].map((file) => [nameOf(file), file])),
    outdir: folder,
    splitting: true,
    plugins: [fromCommon(exported)],
    metafile: true,
  })
  const main = await bundleMain(shared)
  const parts = [rest, main].flatMap(({ metafile }) => Object.keys(metafile.inputs))
  return [...inputs, ...parts]
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
