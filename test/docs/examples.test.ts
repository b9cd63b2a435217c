import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { checkOutput } from '../../examples/servers/readme-output.ts'
import { targetsOf } from '../support/markdown.ts'

const root = new URL('../../examples/', import.meta.url)
const read = (path: string) => readFileSync(new URL(path, root), 'utf8')
const names = readdirSync(root).filter((name) => existsSync(new URL(`${name}/client.ts`, root)))
/** Besides the client: what a reader of an example is to copy. */
const copied = ['worker.ts', 'page.ts', 'mcp-logins.ts', 'agent.ts']

describe.each(names)('the example %s', (name) => {
  it('has code of at most 40 lines', () => {
    for (const file of ['client.ts', ...copied]) {
      if (!existsSync(new URL(`${name}/${file}`, root))) continue
      expect(read(`${name}/${file}`).trimEnd().split('\n').length, file).toBeLessThanOrEqual(40)
    }
  })

  it('has a README of the same shape as the others', () => {
    const text = read(`${name}/README.md`)

    expect([...text.matchAll(/^## (.+)$/gm)].map(([, title]) => title)).toEqual([
      'When to choose it',
      'Run it',
      'What you will see',
      'For your server',
    ])
    expect(text).toContain(`\`\`\`sh\nnpm run example -- ${name}\n`)
    expect(text).toMatch(/```text\n[\s\S]+?\n```/)
    expect(text).not.toContain('/work/')
  })

  it('imports the package by its name, as an application does', () => {
    expect(read(`${name}/client.ts`)).not.toMatch(/from '[./]*\/(src|dist|test)\//)
  })
})

it('the list of examples has each of them once', () => {
  const linked = targetsOf(read('README.md')).flatMap(
    (target) => /^([\w-]+)\/README\.md$/.exec(target)?.[1] ?? [],
  )

  expect(linked.filter((name) => names.includes(name)).sort()).toEqual([...names].sort())
})

describe('the output that a README shows', () => {
  const readme = new URL('oauth-login/README.md', root).pathname
  const shown = /```text\n([\s\S]*?)```/.exec(readFileSync(readme, 'utf8'))?.[1] ?? ''

  it('may differ from the real one in ports and in the order of lines', () => {
    const other = shown
      .trimEnd()
      .replace(/127\.0\.0\.1:\d+/, '127.0.0.1:9')
      .split('\n')
      .reverse()

    expect(checkOutput(readme, other.join('\n'))).toEqual([])
  })

  it('must have the same lines', () => {
    expect(checkOutput(readme, `${shown}a warning\n`)).toEqual([
      'its README does not show: a warning',
    ])
    expect(checkOutput(readme, shown.replace(/^whoami.*\n/m, ''))).toEqual([
      'its README shows a line that was not printed: whoami: {"subject":"alice"}',
    ])
  })
})
