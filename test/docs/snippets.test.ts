import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { compileProblems } from '../support/compile.ts'
import { markdownBelow } from '../support/markdown.ts'

const root = new URL('../..', import.meta.url).pathname
const sources = [
  'README.md',
  ...markdownBelow('docs/guides'),
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

    expect(virtual.size).toBeGreaterThan(10)
    expect(compileProblems(virtual)).toEqual([])
  }, 180_000)
})
