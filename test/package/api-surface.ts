/**
 * The public surface of a package, read from its declaration files.
 *
 * @module
 */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ts from 'typescript'

/** One subpath of `package.json#exports`. */
export interface Entry {
  /** How it is imported: `mcp-credentials/oauth`. */
  readonly name: string
  /** Its declaration file. */
  readonly file: string
}

/** What one entry exports. */
export interface Surface {
  readonly name: string
  /** What is there at run time. */
  readonly values: readonly string[]
  /** What is there for the compiler alone. */
  readonly types: readonly string[]
  /** All of it as text, which changes when the surface does and at no other time. */
  readonly report: string
}

/** The entries of the package in a folder. */
export async function packageEntries(folder: string): Promise<Entry[]> {
  const manifest = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string
    readonly exports: Readonly<Record<string, string | { readonly types: string }>>
  }
  return Object.entries(manifest.exports).flatMap(([subpath, target]) => {
    if (typeof target === 'string') return []
    return [{ name: join(manifest.name, subpath), file: join(folder, target.types) }]
  })
}

/** Reads the entries of a package. Comments, the order of exports, and files they are in, count for nothing. */
export function readSurfaces(entries: readonly Entry[]): Surface[] {
  const program = ts.createProgram(
    entries.map(({ file }) => file),
    // What a platform has is never listed, so its declarations need not be read.
    { module: ts.ModuleKind.NodeNext, noLib: true, types: [], noEmit: true },
  )
  const checker = program.getTypeChecker()
  const exported = new Map<ts.Symbol, string>()
  const named = entries.map((entry) => {
    const symbols = exportsOf(program, checker, entry)
    for (const symbol of symbols.values()) {
      if (!exported.has(symbol)) exported.set(symbol, entry.name)
    }
    return { entry, symbols }
  })
  return named.map(({ entry, symbols }) => surfaceOf(checker, entry, symbols, exported))
}

function exportsOf(
  program: ts.Program,
  checker: ts.TypeChecker,
  { name, file }: Entry,
): ReadonlyMap<string, ts.Symbol> {
  const source = program.getSourceFile(file)
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source)
  if (module === undefined) throw new Error(`${file} of ${name} is no module; build first.`)
  const symbols = checker.getExportsOfModule(module).map((symbol) => {
    return [symbol.name, resolved(checker, symbol)] as const
  })
  return new Map(symbols.sort(([left], [right]) => compare(left, right)))
}

function surfaceOf(
  checker: ts.TypeChecker,
  { name }: Entry,
  symbols: ReadonlyMap<string, ts.Symbol>,
  exported: ReadonlyMap<ts.Symbol, string>,
): Surface {
  const isValue = (symbol: ts.Symbol) => (symbol.flags & ts.SymbolFlags.Value) !== 0
  const names = [...symbols.keys()]
  const values = names.filter((key) => isValue(symbols.get(key) as ts.Symbol))
  const types = names.filter((key) => !values.includes(key))
  const own = new Set(symbols.values())
  const reached = reachedFrom(checker, [...own], exported)
  const elsewhere = reached.filter((symbol) => exported.has(symbol) && !own.has(symbol))
  const hidden = reached.filter((symbol) => !exported.has(symbol) && packageOf(symbol) === '')
  const foreign = reached.filter((symbol) => packageOf(symbol) !== '')
  const code = (list: readonly ts.Symbol[]) => ['```ts', ...list.map(textOf), '```', '']
  const sections = [
    `# ${name}\n`,
    `Values: ${values.length}, types: ${types.length}\n`,
    ...code([...symbols.values()]),
    ...list('Of other entries:', elsewhere, (symbol) => exported.get(symbol) ?? ''),
    ...list('Of other packages:', foreign, (symbol) => packageOf(symbol)),
    ...(hidden.length === 0 ? [] : ['Reached, but not exported:\n', ...code(hidden)]),
  ]
  return { name, values, types, report: sections.join('\n') }
}

/** What the declarations name, other than what every platform has. */
function reachedFrom(
  checker: ts.TypeChecker,
  roots: readonly ts.Symbol[],
  exported: ReadonlyMap<ts.Symbol, string>,
): ts.Symbol[] {
  const found = new Set<ts.Symbol>()
  const queue = [...roots]
  const visit = (node: ts.Node): void => {
    const symbol = ts.isIdentifier(node) ? checker.getSymbolAtLocation(node) : undefined
    const target = symbol === undefined ? undefined : resolved(checker, symbol)
    if (target !== undefined && !found.has(target) && isNamed(target)) {
      found.add(target)
      // What another entry exports is in the report of that one.
      if (!exported.has(target) && packageOf(target) === '') queue.push(target)
    }
    ts.forEachChild(node, visit)
  }
  for (let symbol = queue.pop(); symbol !== undefined; symbol = queue.pop()) {
    for (const declaration of symbol.declarations ?? []) visit(declaration)
  }
  return [...found]
    .filter((symbol) => !roots.includes(symbol))
    .sort((left, right) => compare(left.name, right.name))
}

/** Declared at the top of a module, and so something that a name of its own stands for. */
function isNamed(symbol: ts.Symbol): boolean {
  return (symbol.declarations ?? []).some((declaration) => {
    const statement = ts.isVariableDeclaration(declaration)
      ? declaration.parent.parent
      : declaration
    if (ts.isSourceFile(statement)) return false
    return ts.isSourceFile(statement.parent) && ts.isExternalModule(statement.parent)
  })
}

/** The package that declares it; empty for this one. */
function packageOf(symbol: ts.Symbol): string {
  const path = symbol.declarations?.[0]?.getSourceFile().fileName ?? ''
  const [, name = ''] = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? []
  return name
}

const printer = ts.createPrinter({ removeComments: true, newLine: ts.NewLineKind.LineFeed })

function textOf(symbol: ts.Symbol): string {
  const texts = (symbol.declarations ?? []).map((declaration) => {
    const node = ts.isVariableDeclaration(declaration) ? declaration.parent.parent : declaration
    return printer.printNode(ts.EmitHint.Unspecified, node, node.getSourceFile())
  })
  return texts.join('\n').replace(/^ *#private;\n/gm, '')
}

function list(
  title: string,
  symbols: readonly ts.Symbol[],
  originOf: (symbol: ts.Symbol) => string,
): string[] {
  if (symbols.length === 0) return []
  return [
    `${title}\n`,
    ...symbols.map((symbol) => `- \`${symbol.name}\` (${originOf(symbol)})`),
    '',
  ]
}

function resolved(checker: ts.TypeChecker, symbol: ts.Symbol): ts.Symbol {
  const isAlias = (symbol.flags & ts.SymbolFlags.Alias) !== 0
  return isAlias ? checker.getAliasedSymbol(symbol) : symbol
}

// Not by language: the order must be the same on every machine.
function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0
}
