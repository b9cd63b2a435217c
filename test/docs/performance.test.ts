import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { drawBars, drawLines } from '../bench/charts.ts'
import { filled } from '../bench/page.ts'
import { figureTable, type Measurement, markdown, short } from '../bench/report.ts'
import { figure } from '../bench/rounds.ts'

const figures = [figure('by hand', [2000, 3000, 4000], 1000), figure('jwt()', [1500], 1000)]
const table = figureTable(
  { id: 'one', title: 'One <token>', unit: 'µs', alt: 'What it costs.' },
  figures,
)
const measured: Measurement = {
  section: 'minting',
  date: '2026-01-01',
  environment: 'Node 24, 2 × CPU',
  versions: { jose: '6.0.0' },
  tables: [table],
}

describe('a table of the benchmark', () => {
  it('compares with the first row, and marks the best, whoever it is', () => {
    expect(markdown(table).split('\n')).toEqual([
      '| | µs, minimum | median | ratio of minima |',
      '|---|---|---|---|',
      '| by hand | 2.00 | 3.00 | 1.00 |',
      '| jwt() | **1.50** | 1.50 | 0.75 |',
    ])
  })

  it.each([
    [1234.5, '1235'],
    [12.34, '12.3'],
    [1.234, '1.23'],
    [0.0123, '0.012'],
    [Number.NaN, '–'],
  ])('writes %d as %s', (value, text) => {
    expect(short(value)).toBe(text)
  })
})

describe('a picture of the benchmark', () => {
  const chart = table.chart?.kind === 'bars' ? table.chart : undefined

  it('draws bars whose lengths are in proportion, and marks those of this library', () => {
    const svg = drawBars('One <token>', chart ?? { kind: 'bars', alt: '', unit: '', groups: [] })
    const bars = [...svg.matchAll(/class="(own|peer)" x="[\d.]+" y="\d+" width="([\d.]+)"/g)]

    expect(bars.map(([, kind]) => kind)).toEqual(['peer', 'own'])
    expect(Number(bars[1]?.[2]) / Number(bars[0]?.[2])).toBeCloseTo(0.75, 2)
    expect(svg).toContain('One &lt;token&gt;')
    expect(svg).toContain('@media (prefers-color-scheme: dark)')
  })

  it('draws lines over powers of ten', () => {
    const lines = [{ name: 'a', own: true, values: [1, 100] }]
    const xs = [1, 1000]
    const svg = drawLines('Growth', {
      kind: 'lines',
      alt: '',
      unit: 'µs',
      xs,
      xName: 'tenants',
      lines,
    })

    expect([...svg.matchAll(/>([\d,]+)<\/text>/g)].map(([, tick]) => tick)).toEqual(
      expect.arrayContaining(['1', '10', '100', '1,000']),
    )
    expect(svg).toMatch(/class="line own" d="M70 270L475 50"/)
  })
})

describe('the guides that the benchmark writes', () => {
  const text =
    'before\n<!-- bench:minting -->\nold\n<!-- end -->\n<!-- bench:other -->\nkept\n<!-- end -->\n'

  it('get what was measured between their markers, and keep all else', () => {
    const page = filled(text, [measured])

    expect(page).toMatch(/^before\n<!-- bench:minting -->\n\n\*\*One <token>\*\*\n/)
    expect(page).toContain('![What it costs.](../pictures/performance-one.svg)')
    expect(page).toContain('| jwt() | **1.50** |')
    expect(page).not.toContain('old')
    expect(page).toContain('<!-- bench:other -->\nkept\n<!-- end -->')
    expect(filled(page, [measured])).toBe(page)
  })

  it('say what was measured when, and with what', () => {
    const names = ['conditions', 'minting', 'stores', 'memory']
    const empty = names.map((name) => `<!-- bench:${name} -->\n<!-- end -->\n`).join('')
    const page = filled(empty, [
      measured,
      { ...measured, section: 'stores', date: '2025-12-31' },
      { ...measured, section: 'storms', date: '2025-12-30' },
    ])

    expect(page).toContain('Measured on 2026-01-01 with Node 24, 2 × CPU: jose 6.0.0.')
    expect(page).toContain('Sections stores: measured on 2025-12-31 with')
    expect(page).toContain('From an earlier run: memory.')
    expect(page).not.toContain('2025-12-30')
  })

  it('show each section once', () => {
    const source = readFileSync(new URL('../bench/sections.ts', import.meta.url), 'utf8')
    const [, list = ''] = /export const sections[^{]*\{([\s\S]*?)\n\}/.exec(source) ?? []
    const names = [...list.matchAll(/^ {2}'?([\w-]+)'?: /gm)].map(([, name]) => name)
    const pages = ['performance', 'platforms'].map((name) =>
      readFileSync(new URL(`../../docs/guides/${name}.md`, import.meta.url), 'utf8'),
    )
    const shown = [...pages.join('\n').matchAll(/<!-- bench:([\w-]+) -->/g)].map(([, name]) => name)

    expect(names.length).toBeGreaterThan(10)
    expect(shown.sort()).toEqual([...names, 'conditions'].sort())
  })
})
