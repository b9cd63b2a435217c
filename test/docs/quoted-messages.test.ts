import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const root = new URL('../../', import.meta.url)

/** The source of the library, without the command, whose texts these guides do not quote. */
const source = readdirSync(new URL('src/', root), { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.startsWith('cli'))
  .map((path) => readFileSync(new URL(`src/${path}`, root), 'utf8'))
  .join('\n')

/** The quoted messages in the first column of the table under "What can go wrong", without their values. */
function quotedIn(guide: string): string[][] {
  const page = readFileSync(new URL(`docs/guides/${guide}.md`, root), 'utf8')
  const [, section = ''] = page.split('## What can go wrong')
  const cells = section.split('\n').map((line) => line.split('|')[1] ?? '')
  const quotes = cells.flatMap((cell) => [...cell.matchAll(/["`]([A-Za-z][^"`]* [^"`]*)["`]/g)])
  return quotes.map(([, text = '']) => text.split(/…|\d+/).map((part) => part.trim()))
}

test.each([
  ['identity-providers', 5],
  ['stores', 7],
])('the messages that the guide %s quotes are in the source', (guide, count) => {
  const quotes = quotedIn(guide)
  const stale = quotes.filter((parts) => !parts.every((part) => source.includes(part)))

  expect(stale).toEqual([])
  expect(quotes).toHaveLength(count)
})
