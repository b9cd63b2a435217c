import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = new URL('../..', import.meta.url).pathname
const folder = join(root, 'examples/frameworks')
const guide = readFileSync(join(root, 'docs/guides/frameworks.md'), 'utf8')
const names = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'client.ts')))

const linesOf = (text: string): string[] => text.split('\n').map((line) => line.trim())
const clientOf = (name: string): string[] =>
  linesOf(readFileSync(join(folder, name, 'client.ts'), 'utf8'))
const measured = JSON.parse(readFileSync(join(folder, 'measured.json'), 'utf8')) as Record<
  string,
  { packages: Record<string, string>; calls: Record<string, string> }
>

describe('the guide about frameworks', () => {
  it('shows only code that a client of the examples runs', () => {
    const worker = linesOf(readFileSync(join(folder, 'cloudflare-agents/worker.ts'), 'utf8'))
    const run = new Set([...names.flatMap(clientOf), ...worker, ''])
    const shown = [...guide.matchAll(/^```typescript\n([\s\S]*?)^```/gm)].flatMap(([, code = '']) =>
      linesOf(code),
    )

    expect(shown.length).toBeGreaterThan(20)
    expect(shown.filter((line) => !run.has(line))).toEqual([])
  })

  it('names the versions that were measured', () => {
    const rows = [...guide.matchAll(/\| `(\S+)` (\d\S+) \|/g)].map(([, name, version]) => [
      name,
      version,
    ])
    const versions = Object.assign({}, ...Object.values(measured).map(({ packages }) => packages))

    expect(rows.length).toBe(names.length)
    for (const [name, version] of rows)
      expect([name, versions[String(name)]]).toEqual([name, version])
  })

  it.each(names)('has the record of a run in which each call of %s succeeded', (name) => {
    expect(Object.values(measured[name]?.calls ?? {})).toEqual(['ok', 'ok', 'ok', 'ok'])
  })
})

describe('the clients of frameworks', () => {
  it.each(names)('%s has at most 40 lines', (name) => {
    expect(clientOf(name).length).toBeLessThanOrEqual(41)
  })
})
