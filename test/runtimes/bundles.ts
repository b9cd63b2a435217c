import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { Bundle } from './bundlers.ts'
import { run, type Workshop } from './installed.ts'

/** A program to be bundled; it takes a URL, and prints what its request was answered with. */
export interface Program {
  readonly name: string
  readonly file: string
  readonly source: string
}

const requestWith = (imports: string, provider: string) => `${imports}
const [url, issuer] = globalThis.process.argv.slice(2)
const { fetch, close } = withCredentials(${provider}, { resource: url })
const body = '{"jsonrpc":"2.0","id":1,"method":"ping"}'
const { status } = await fetch(url, { method: 'POST', body })
console.log(status)
await close()
`

/** What is bundled, by what it needs of the package. */
export const programs: readonly Program[] = [
  {
    name: '`apiKey()`',
    file: 'key.mjs',
    source: requestWith(
      "import { apiKey, withCredentials } from 'mcp-credentials'",
      "apiKey({ value: 'k' })",
    ),
  },
  {
    name: '`jwt()`, with jose',
    file: 'jwt.mjs',
    source: requestWith(
      "import { jwt, withCredentials } from 'mcp-credentials'",
      "jwt({ algorithm: 'HS256', secret: 's'.repeat(32) })",
    ),
  },
  {
    name: '`clientCredentials()`, with openid-client',
    file: 'login.mjs',
    source: requestWith(
      "import { withCredentials } from 'mcp-credentials'\nimport { clientCredentials } from 'mcp-credentials/oauth'",
      "clientCredentials({ clientId: 'client', clientSecret: 'secret', issuer })",
    ),
  },
  {
    name: 'everything that `mcp-credentials` exports',
    file: 'all.mjs',
    source:
      "import * as everything from 'mcp-credentials'\nconsole.log(Object.keys(everything).length)\n",
  },
]

/** A project that has the package installed with npm, and the programs. */
export async function projectToBundle(workshop: Workshop): Promise<string> {
  const folder = await workshop.project('bundled')
  const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', workshop.tarball]
  await run({ program: 'npm', args, folder })
  // Bundles are modules, whatever their names end with.
  const manifest = join(folder, 'package.json')
  const { dependencies } = JSON.parse(await readFile(manifest, 'utf8')) as { dependencies: object }
  const described = { private: true, type: 'module', sideEffects: true, dependencies }
  await writeFile(manifest, JSON.stringify(described))
  for (const { file, source } of programs) await writeFile(join(folder, file), source)
  return folder
}

/** What files weigh. */
export interface Weight {
  readonly bytes: number
  /** The sum of the files, each compressed. */
  readonly gzip: number
}

/** A bundle. */
export interface Bundled {
  /** The file that is called. */
  readonly main: string
  /** What is loaded at once. */
  readonly atOnce: Weight
  /** What is loaded when it is needed. */
  readonly onDemand: Weight
}

/** Bundles a program. */
export async function bundled(
  bundle: Bundle,
  project: string,
  { file }: Program,
  name: string,
): Promise<Bundled> {
  const out = join(project, `${name}-${file.replace('.mjs', '')}`)
  await bundle(project, file, out)
  const texts = new Map<string, Buffer>()
  for (const each of await readdir(out)) texts.set(each, await readFile(join(out, each)))
  const first = new Set(['main.js'])
  follow(first, texts, /(?:\bimport|\bfrom)\s*["']\.\/([^"']+)["']/g)
  const all = new Set(first)
  // Webpack names such a file by a number. Files that nothing names are left out: a bundler makes them before it sees that.
  follow(all, texts, /["'`](?:\.\/)?([^"'`/\s]+\.js)["'`]|\.e\((\d+)\)/g)
  const weigh = (names: ReadonlySet<string>): Weight => {
    const chosen = [...texts].filter(([each]) => names.has(each)).map(([, text]) => text)
    const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)
    return {
      bytes: sum(chosen.map((text) => text.length)),
      gzip: sum(chosen.map((text) => gzipSync(text, { level: 9 }).length)),
    }
  }
  const later = new Set([...all].filter((each) => !first.has(each)))
  return { main: join(out, 'main.js'), atOnce: weigh(first), onDemand: weigh(later) }
}

/** Adds the files that those already there name. */
function follow(names: Set<string>, texts: ReadonlyMap<string, Buffer>, pattern: RegExp): void {
  for (const name of names) {
    for (const [, file, number] of texts.get(name)?.toString().matchAll(pattern) ?? []) {
      const target = file ?? `${number}.js`
      if (texts.has(target)) names.add(target)
    }
  }
}
