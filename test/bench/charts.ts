// Draws the pictures of the guide to performance, as text: readable in light and in dark, and alike for alike figures.
import { type Bar, type BarChart, type LineChart, short } from './report.ts'

const width = 690
const style = `text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; fill: #1f2328 }
.title { font-size: 15px; font-weight: 600 }
.note { fill: #59636e }
.page { fill: #ffffff }
.grid { stroke: #d1d9e0 }
.own { fill: #0969da }
.peer { fill: #8c959f }
.line { fill: none; stroke-width: 2 }
.line.own { stroke: #0969da; fill: none }
.line.peer { stroke: #8c959f; fill: none }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.note { fill: #9198a1 }
.page { fill: #0d1117 }
.grid { stroke: #3d444d }
.own { fill: #4493f8 }
.peer { fill: #7d8590 }
.line.own { stroke: #4493f8 }
.line.peer { stroke: #7d8590 }
}`

const escaped = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')

const round = (value: number) => String(Math.round(value * 10) / 10)

function text(x: number, y: number, content: string, kind = '', anchor = 'start'): string {
  const attributes = `${kind === '' ? '' : ` class="${kind}"`}${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}`
  return `<text x="${round(x)}" y="${round(y)}"${attributes}>${escaped(content)}</text>`
}

function frame(
  title: string,
  { alt, unit }: { alt: string; unit: string },
  height: number,
  parts: readonly string[],
) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="t d">
<title id="t">${escaped(title)}</title>
<desc id="d">${escaped(alt)}</desc>
<style>
${style}
</style>
<rect class="page" width="${width}" height="${height}" rx="8"/>
${text(20, 28, title, 'title')}
${text(width - 20, 28, unit, 'note', 'end')}
${parts.join('\n')}
</svg>
`
}

/** Draws bars from the left, each with its name before it and its figure behind it. */
export function drawBars(title: string, chart: BarChart): string {
  const bars = chart.groups.flatMap((group) => group.bars)
  const most = Math.max(...bars.map(({ value }) => value), Number.MIN_VALUE)
  const nameWidth = Math.min(330, Math.max(...bars.map(({ name }) => name.length)) * 6.8 + 12)
  const left = 20 + nameWidth
  const room = width - left - 90
  const parts: string[] = []
  let y = 44
  const bar = ({ name, value, label = short(value), own = false }: Bar) => {
    const length = Math.max(1, (value / most) * room)
    parts.push(
      text(left - 8, y + 14, name, own ? '' : 'note', 'end'),
      `<rect class="${own ? 'own' : 'peer'}" x="${round(left)}" y="${y + 2}" width="${round(length)}" height="16" rx="2"/>`,
      text(left + length + 6, y + 14, label),
    )
    y += 24
  }
  for (const { name, bars: members } of chart.groups) {
    if (name !== undefined) {
      y += 22
      parts.push(text(20, y - 6, name))
    }
    members.forEach(bar)
  }
  return frame(title, chart, y + 14, parts)
}

/** The powers of ten from the one below the least value to the one above the greatest. */
function decades(values: readonly number[]): number[] {
  const logs = values.filter((value) => value > 0).map(Math.log10)
  const first = Math.floor(Math.min(...logs))
  const last = Math.max(first + 1, Math.ceil(Math.max(...logs)))
  return Array.from({ length: last - first + 1 }, (_, index) => 10 ** (first + index))
}

/** Draws lines over two logarithmic axes; the names of the lines stand at their ends. */
export function drawLines(title: string, chart: LineChart): string {
  const { xs, lines } = chart
  const box = { left: 70, right: width - 215, top: 50, bottom: 270 }
  const ticks = decades(lines.flatMap(({ values }) => values))
  const [low = 1, high = 10] = [ticks[0], ticks.at(-1)]
  const scaleY = (value: number) =>
    box.bottom -
    (Math.log10(Math.max(value, low) / low) / Math.log10(high / low)) * (box.bottom - box.top)
  const [firstX = 1, lastX = 10] = [xs[0], xs.at(-1)]
  const scaleX = (value: number) =>
    box.left +
    (Math.log(value / firstX) / Math.max(Math.log(lastX / firstX), 1e-9)) * (box.right - box.left)
  const grid = ticks.flatMap((tick) => [
    `<path class="grid" d="M${box.left} ${round(scaleY(tick))}H${box.right}"/>`,
    text(
      box.left - 8,
      scaleY(tick) + 4,
      tick.toLocaleString('en', { maximumFractionDigits: 6 }),
      'note',
      'end',
    ),
  ])
  const below = xs.map((x) =>
    text(scaleX(x), box.bottom + 20, x.toLocaleString('en'), 'note', 'middle'),
  )
  const ends = spread(lines.map(({ values }) => scaleY(values.at(-1) ?? low)))
  const drawn = lines.flatMap(({ name, own, values }, index) => {
    const points = values.map(
      (value, at) => `${round(scaleX(xs[at] ?? 1))} ${round(scaleY(value))}`,
    )
    const kind = own ? 'own' : 'peer'
    return [
      `<path class="line ${kind}" d="M${points.join('L')}"/>`,
      text(box.right + 8, (ends[index] ?? 0) + 4, name, own ? '' : 'note'),
    ]
  })
  const axis = text((box.left + box.right) / 2, box.bottom + 42, chart.xName, 'note', 'middle')
  return frame(title, chart, box.bottom + 58, [...grid, ...below, ...drawn, axis])
}

/** Moves heights apart so that a line of text fits at each. */
function spread(heights: readonly number[]): number[] {
  const order = heights.map((y, index) => ({ y, index })).sort((a, b) => b.y - a.y)
  let lowest = Number.POSITIVE_INFINITY
  for (const each of order) {
    each.y = Math.min(each.y, lowest - 17)
    lowest = each.y
  }
  return order.sort((a, b) => a.index - b.index).map(({ y }) => y)
}
