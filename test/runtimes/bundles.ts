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

/** A bundle: where it is, and what it weighs, with all that is loaded on demand. */
export interface Bundled {
  readonly main: string
  readonly bytes: number
  /** The sum of its files, each compressed. */
  readonly gzip: number
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
  const files = (await readdir(out)).filter((each) => /\.m?js$/.test(each))
  const texts = await Promise.all(files.map((each) => readFile(join(out, each))))
  const sum = (sizes: readonly number[]) => sizes.reduce((total, size) => total + size, 0)
  return {
    main: join(out, 'main.js'),
    bytes: sum(texts.map((text) => text.length)),
    gzip: sum(texts.map((text) => gzipSync(text, { level: 9 }).length)),
  }
}
