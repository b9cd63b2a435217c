import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'

const root = new URL('../..', import.meta.url).pathname

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
}

/** The source of each entry of the package, by the name under which it is imported. */
function entries(): Record<string, string[]> {
  const manifest = readFileSync(join(root, 'package.json'), 'utf8')
  const { exports } = JSON.parse(manifest) as Manifest
  return Object.fromEntries(
    Object.entries(exports).flatMap(([path, target]) => {
      const file = typeof target === 'string' ? target : target.default
      if (!file.endsWith('.js')) return []
      const source = file.replace(/^\.\/dist\//, 'src/').replace(/\.js$/, '.ts')
      return [[`mcp-credentials${path.slice(1)}`, [join(root, source)]]]
    }),
  )
}

/**
 * What the compiler says of modules that are no files.
 *
 * @param virtual - Their code, by path; a path lies inside the repository, and imports are found from there.
 */
export function compileProblems(virtual: ReadonlyMap<string, string>): readonly string[] {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.json'), {}, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: () => {},
  } as ts.ParseConfigFileHost)
  const options = { ...config?.options, paths: entries() }
  const host = ts.createCompilerHost(options)
  const { getSourceFile, fileExists, readFile } = host
  host.fileExists = (path) => virtual.has(path) || fileExists.call(host, path)
  host.readFile = (path) => virtual.get(path) ?? readFile.call(host, path)
  host.getSourceFile = (path, ...rest) => {
    const code = virtual.get(path)
    if (code === undefined) return getSourceFile.call(host, path, ...rest)
    return ts.createSourceFile(path, code, ts.ScriptTarget.ES2022)
  }
  const roots = [join(root, 'src/stores/native.d.ts'), ...virtual.keys()]
  const program = ts.createProgram(roots, options, host)
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ file, messageText }) =>
        `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    )
}
