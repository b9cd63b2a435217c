import { readFileSync } from 'node:fs'
import ts from 'typescript'

const root = new URL('../../', import.meta.url)

/** The `ts` fences of a page or of docstrings, without the stars of a comment. */
export function fencesOf(path: string): string[] {
  const text = readFileSync(new URL(path, root), 'utf8')
  return [...text.matchAll(/^( \* |)```ts\n([\s\S]*?)^\1```/gm)].map((match) =>
    (match[2] ?? '').replace(/^ \* ?/gm, ''),
  )
}

/**
 * The one fence of a page that has a text in it.
 *
 * @throws When there is none, or more than one.
 */
export function snippetOf(path: string, mark: string): string {
  const found = fencesOf(path).filter((code) => code.includes(mark))
  if (found.length !== 1) throw new Error(`${path} has ${found.length} snippets with ${mark}.`)
  return found[0] ?? ''
}

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
  ...parametersAndBody: string[]
) => (...args: unknown[]) => Promise<void>

/**
 * Runs a module as it is written; its imports come from `modules`, and what it declares from `declared`.
 *
 * @param edit - Replaces what cannot be as it is written, such as an address.
 */
export async function runSnippet(
  code: string,
  modules: Readonly<Record<string, object>>,
  declared: Readonly<Record<string, unknown>> = {},
  edit: (code: string) => string = (text) => text,
): Promise<void> {
  const { outputText } = ts.transpileModule(edit(code), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
    },
  })
  const body = outputText.replace(
    /^import (\w+|\{[^}]*\}) from ('[^']+'|"[^"]+");?$/gm,
    (_all, names: string, from: string) =>
      `const ${names.replace(/(\w+) as (\w+)/g, '$1: $2')} = modules[${from}]`,
  )
  await new AsyncFunction('modules', ...Object.keys(declared), body)(
    modules,
    ...Object.values(declared),
  )
}
