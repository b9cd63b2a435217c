import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build as esbuild } from 'esbuild'
import { modulesOf } from './binary.ts'

/** Bundles a file for browsers, minified, into a folder; the file that is called is `main.js`. */
export type Bundle = (project: string, entry: string, out: string) => Promise<unknown>

/** A bundler; it is fetched when it is opened. */
export interface Bundler {
  readonly name: 'esbuild' | 'rollup' | 'vite' | 'webpack'
  open(): Promise<Bundle>
}

// What is used of each bundler.
interface Rollup {
  rollup(options: object): Promise<{ write(options: object): Promise<unknown> }>
}
interface NodeResolve {
  nodeResolve(options: object): object
}
interface CommonJs {
  default(): object
}
interface Vite {
  build(options: object): Promise<unknown>
}
type Webpack = (
  options: object,
  done: (error: Error | null, stats?: { hasErrors(): boolean; toString(): string }) => void,
) => void

async function openRollup(): Promise<Bundle> {
  const plugins = ['@rollup/plugin-node-resolve', '@rollup/plugin-commonjs'] as const
  const load = createRequire(join(await modulesOf('rollup', ...plugins), 'x.js'))
  const { rollup } = load('rollup') as Rollup
  const { nodeResolve } = load('@rollup/plugin-node-resolve') as NodeResolve
  const { default: commonjs } = load('@rollup/plugin-commonjs') as CommonJs
  return async (project, entry, out) => {
    const resolve = nodeResolve({ browser: true, rootDir: project })
    // One of the packages beneath ./oauth is CommonJS.
    const made = await rollup({ input: join(project, entry), plugins: [resolve, commonjs()] })
    const names = { entryFileNames: 'main.js', chunkFileNames: '[name]-[hash].js' }
    const minify = {
      name: 'minify',
      // Rollup leaves that to others.
      renderChunk: async (code: string) => {
        const stdin = { contents: code }
        const options = { stdin, minify: true, format: 'esm', write: false } as const
        const [file] = (await esbuild(options)).outputFiles
        return { code: file?.text ?? code, map: null }
      },
    }
    await made.write({ dir: out, format: 'es', ...names, plugins: [minify] })
  }
}

async function openVite(): Promise<Bundle> {
  const file = join(await modulesOf('vite'), 'vite/dist/node/index.js')
  const { build } = (await import(pathToFileURL(file).href)) as Vite
  return (project, entry, out) => {
    const names = { entryFileNames: 'main.js', chunkFileNames: '[name]-[hash].js' }
    const rollupOptions = { input: join(project, entry), output: names }
    // Its hints for the preloading of chunks are for HTML pages.
    const options = { outDir: out, modulePreload: false, rollupOptions, target: 'es2022' }
    return build({ root: project, configFile: false, logLevel: 'silent', build: options })
  }
}

async function openWebpack(): Promise<Bundle> {
  const load = createRequire(join(await modulesOf('webpack'), 'x.js'))
  const webpack = load('webpack') as Webpack
  return (project, entry, out) =>
    new Promise<void>((resolve, reject) => {
      const output = {
        path: out,
        filename: 'main.js',
        chunkFilename: '[id].js',
        module: true,
        chunkFormat: 'module',
        publicPath: './',
      }
      const options = {
        mode: 'production',
        target: ['web', 'es2022'],
        context: project,
        entry: `./${entry}`,
        experiments: { outputModule: true },
        output,
      }
      webpack(options, (error, stats) => {
        if (error === null && stats?.hasErrors() === false) resolve()
        else reject(error ?? new Error(stats?.toString()))
      })
    })
}

/** The bundlers that most projects use. */
export const bundlers: readonly Bundler[] = [
  {
    name: 'esbuild',
    open: async () => (project, entry, out) =>
      esbuild({
        absWorkingDir: project,
        entryPoints: { main: entry },
        bundle: true,
        minify: true,
        splitting: true,
        format: 'esm',
        platform: 'browser',
        outdir: out,
        logLevel: 'error',
      }),
  },
  { name: 'rollup', open: openRollup },
  { name: 'vite', open: openVite },
  { name: 'webpack', open: openWebpack },
]
