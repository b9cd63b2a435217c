import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { anchorsOf, linkProblem, markdownBelow, targetsOf } from '../support/markdown.ts'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const pages = ['README.md', ...markdownBelow('docs/guides'), ...markdownBelow('examples')]

describe('the links of the documentation', () => {
  it.each(pages)('of %s lead to files and headings that exist', (page) => {
    const problems = targetsOf(read(page)).flatMap((target) => linkProblem(page, target) ?? [])

    expect(problems).toEqual([])
  })

  it('are found in text and pictures, and not in code', () => {
    const text = [
      '# A `code` title, and more',
      '[one](a.md) ![two](b.svg "a title") `[no](c.md)`',
      '<img src="d.svg" alt="">',
      '```md\n[no](e.md)\n```',
    ].join('\n')

    expect(targetsOf(text)).toEqual(['a.md', 'b.svg', 'd.svg'])
    expect([...anchorsOf(`${text}\n## A code title and more`)]).toEqual([
      'a-code-title-and-more',
      'a-code-title-and-more-1',
    ])
  })

  it.each([
    ['guides.md', 'docs/guides/guides.md does not exist'],
    ['../../README.md#no-such-heading', 'README.md has no heading #no-such-heading'],
    ['../../examples#no-such-heading', 'examples has no heading #no-such-heading'],
    ['../../../etc/passwd', '../etc/passwd does not exist'],
    ['../../README.md#mcp-credentials', undefined],
    ['../../examples#examples', undefined],
    ['https://example.com/#anything', undefined],
  ])('are judged: %s', (target, problem) => {
    expect(linkProblem('docs/guides/page.md', target)).toBe(problem)
  })
})

describe('the pictures of the guides', () => {
  const folder = new URL('docs/pictures/', root)
  const pictures = existsSync(folder)
    ? readdirSync(folder).filter((one) => one.endsWith('.svg'))
    : []

  it.each(pictures)('%s is for readers in light and dark, and for those who hear it', (name) => {
    const picture = readFileSync(new URL(name, folder), 'utf8')

    expect(picture).toMatch(/<svg\b[^>]*\brole="img"/)
    expect(picture).toMatch(/<title\b[^>]*>[^<]{10,}<\/title>/)
    expect(picture).toContain('@media (prefers-color-scheme: dark)')
    expect(picture).not.toMatch(/<script|<image|(?:href|src)="https?:/)
  })

  it('are each shown by a guide, with a text for those who do not see it', () => {
    const shown = pages.flatMap((page) => [...read(page).matchAll(/!\[([^\]]*)\]\(([^)]+)\)/g)])
    for (const [, text = '', target = ''] of shown) expect(text.length, target).toBeGreaterThan(10)
    const targets = pages.flatMap((page) => targetsOf(read(page)))
    const unused = pictures.filter((name) => !targets.some((target) => target.endsWith(`/${name}`)))

    expect(unused).toEqual([])
  })
})
