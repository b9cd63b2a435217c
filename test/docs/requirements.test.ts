import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { linkProblem, targetsOf } from '../support/markdown.ts'

const root = new URL('../..', import.meta.url).pathname
const read = (path: string) => readFileSync(join(root, path), 'utf8')

/** The numbers that the names of tests cite, such as `row 7` and `CVE-2025-6514`. */
function citations(): Set<string> {
  const cited = new Set<string>()
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' })
  for (const file of files.filter((path) => path.endsWith('.test.ts'))) {
    const names = read(join('test', file)).matchAll(/['"`]((?:row|attack|advisor)\w* [^:'"`]+):/g)
    for (const [, prefix = ''] of names) {
      for (const [id] of prefix.matchAll(/CVE-\d+-\d+/g)) cited.add(id)
      const groups = prefix.replace(/CVE-\d+-\d+/g, '').matchAll(/(row|attack)s? ([\dto, and]+)/g)
      for (const [, kind, list = ''] of groups) {
        for (const [, first, last = first] of list.matchAll(/(\d+)(?: to (\d+))?/g)) {
          for (let row = Number(first); row <= Number(last); row += 1) cited.add(`${kind} ${row}`)
        }
      }
    }
  }
  return cited
}

/** The rows of the page: the number by which they are cited, and what shows them. */
function requirements(): Map<string, string> {
  const rows = new Map<string, string>()
  let kind = ''
  for (const line of read('test/requirements.md').split('\n')) {
    const [, first = '', , shownBy = ''] = line.split('|').map((cell) => cell.trim())
    if (shownBy === 'shown by') kind = first === 'advisory' ? '' : `${first} `
    else if (/\d$/.test(first)) rows.set(`${kind}${first}`, shownBy)
  }
  return rows
}

const cited = citations()
const rows = requirements()

test('every requirement is cited by a test, or names what shows it', () => {
  const missing = [...rows].filter(([row, shownBy]) => {
    const isShown = (what: string) => {
      if (what === 'tests') return cited.has(row)
      // Rows with files and tests are checked separately.
      if (row.startsWith('promise ')) return true
      const [target] = targetsOf(what)
      if (target === undefined) return what.startsWith('`') || cited.has(what)
      return linkProblem('test/requirements.md', target) === undefined
    }
    return shownBy === '' || !shownBy.split(', ').every(isShown)
  })
  expect(missing).toEqual([])
  expect(rows.size).toBe(94 + 6 + 18 + 42)
})

test('no test cites a number that is not on the page', () => {
  expect([...cited].filter((row) => !rows.has(row))).toEqual([])
})

test('every promise names tests that exist', () => {
  const promises = [...rows].filter(([row]) => row.startsWith('promise '))
  const missing = promises.flatMap(([row, shownBy]) => {
    const named = [...shownBy.matchAll(/\[([\w/.-]+)\]\(\1\): «([^»]+)»/g)]
    if (named.length !== shownBy.split('; ').length) return [`${row}: ${shownBy}`]
    return named
      .filter(([, file = '', name = '']) => {
        const path = join('test', file)
        return !existsSync(join(root, path)) || !read(path).includes(name)
      })
      .map(([text]) => `${row}: ${text}`)
  })
  expect(missing).toEqual([])
  expect(promises).toHaveLength(42)
})
