import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const sources = [
  'README.md',
  ...readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => join('src', path)),
]

/** Every `ts` fence of the documentation, as a module of its own. */
function snippets(): Map<string, string> {
  const found = new Map<string, string>()
  for (const path of sources) {
    const text = readFileSync(join(root, path), 'utf8')
    for (const match of text.matchAll(/^( \* |)```ts\n([\s\S]*?)^\1```/gm)) {
      const code = (match[2] ?? '').replace(/^ \* ?/gm, '')
      found.set(join(root, `test/docs/${path.replace(/\W/g, '-')}-${found.size}.mts`), code)
    }
  }
  return found
}

describe('the documentation', () => {
  it('contains only examples that compile', () => {
    const virtual = snippets()
    const config = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.json'), {}, {
      ...ts.sys,
      onUnRecoverableConfigFileDiagnostic: () => {},
    } as ts.ParseConfigFileHost)
    const options = {
      ...config?.options,
      paths: {
        'mcp-credentials': [join(root, 'src/index.ts')],
        'mcp-credentials/mcp': [join(root, 'src/mcp/index.ts')],
        'mcp-credentials/oauth': [join(root, 'src/oauth/index.ts')],
        'mcp-credentials/keychain': [join(root, 'src/stores/keychain.ts')],
        'mcp-credentials/file': [join(root, 'src/stores/file.ts')],
        'mcp-credentials/redis': [join(root, 'src/stores/redis.ts')],
        'mcp-credentials/postgres': [join(root, 'src/stores/postgres.ts')],
        'mcp-credentials/migrate': [join(root, 'src/stores/migrate.ts')],
        'mcp-credentials/testing': [join(root, 'src/testing/index.ts')],
        'mcp-credentials/aws': [join(root, 'src/aws/index.ts')],
        'mcp-credentials/node': [join(root, 'src/node/index.ts')],
        'mcp-credentials/config': [join(root, 'src/config/index.ts')],
        'mcp-credentials/auto': [join(root, 'src/auto/index.ts')],
      },
    }
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
    const problems = ts
      .getPreEmitDiagnostics(program)
      .map(
        ({ file, messageText }) =>
          `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      )

    expect(virtual.size).toBeGreaterThan(10)
    expect(problems).toEqual([])
  }, 180_000)
})
