import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'
import { markdownBelow } from '../support/markdown.ts'

const root = new URL('../..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(root, path), 'utf8')

interface Site {
  readonly entryPoints: readonly string[]
  readonly projectDocuments: readonly string[]
  readonly groupOrder: readonly string[]
}

interface Manifest {
  readonly exports: Readonly<Record<string, string | { readonly default: string }>>
}

const site = JSON.parse(read('typedoc.json')) as Site
const entries = Object.values((JSON.parse(read('package.json')) as Manifest).exports).flatMap(
  (target) =>
    typeof target === 'string' ? [] : [target.default.replace(/^\.\/dist\/(.*)\.js$/, 'src/$1.ts')],
)

/** A name that an entry exports, with the tags of the docstrings of its declarations. */
interface Exported {
  readonly title: string
  readonly isValue: boolean
  readonly tags: readonly ts.JSDocTagInfo[]
}

function exportedNames(): readonly Exported[] {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'src/tsconfig.json'), {}, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: () => {},
  } as ts.ParseConfigFileHost)
  const program = ts.createProgram(
    entries.map((path) => join(root, path)),
    { ...config?.options, noEmit: true },
  )
  const checker = program.getTypeChecker()
  return entries.flatMap((path) => {
    const file = program.getSourceFile(join(root, path))
    const symbol = file && checker.getSymbolAtLocation(file)
    if (symbol === undefined) throw new Error(`${path} is no module`)
    return checker.getExportsOfModule(symbol).map((exported) => {
      const alias = (exported.flags & ts.SymbolFlags.Alias) !== 0
      const own = alias ? checker.getAliasedSymbol(exported) : exported
      return {
        title: `${exported.name} of ${path}`,
        isValue: (own.flags & ts.SymbolFlags.Value) !== 0,
        tags: own.getJsDocTags(checker),
      }
    })
  })
}

describe('the site', () => {
  it('has a page for every guide', () => {
    const pages = site.projectDocuments.filter((path) => path.startsWith('docs/guides/'))

    expect([...pages].sort()).toEqual(markdownBelow('docs/guides'))
  })

  it.each(markdownBelow('docs/guides'))('places %s in a group of its navigation', (guide) => {
    const [, group] = /^---\n(?:.*\n)*?group: (.+)\n(?:.*\n)*?---\n/.exec(read(guide)) ?? []

    expect(site.groupOrder).toContain(group)
  })

  it('has a page for every entry of the package', () => {
    expect([...site.entryPoints].sort()).toEqual([...entries].sort())
  })

  it('shows every function, class and constant with an example, and every name in a known group', () => {
    const names = exportedNames()
    const unshown = names.filter(
      ({ isValue, tags }) => isValue && !tags.some(({ name }) => name === 'example'),
    )
    const groups = names.flatMap(({ tags }) =>
      tags.filter(({ name }) => name === 'group').map(({ text }) => ts.displayPartsToString(text)),
    )

    expect(unshown.map(({ title }) => title)).toEqual([])
    expect(groups.length).toBeGreaterThan(100)
    expect(groups.filter((group) => !site.groupOrder.includes(group))).toEqual([])
  }, 180_000)
})
