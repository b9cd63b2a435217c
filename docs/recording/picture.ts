/**
 * Draws a session as an SVG that plays like the terminal.
 *
 * @module
 */
import { type Line, linesOf } from './screen.ts'
import type { Step } from './session.ts'
import { columns } from './terminal-run.ts'

/** How many lines the window has. */
const rows = 24
const lineHeight = 19
const padding = 18
/** From the top of a line to the foot of its letters. */
const baseline = 14
const titleHeight = 34
// Of a monospaced font; every text is stretched to it, whatever font there is.
const characterWidth = 8.4
const width = Math.ceil(columns * characterWidth + 2 * padding)
const height = titleHeight + rows * lineHeight + padding

/** Seconds. */
const pause = { line: 0.08, paragraph: 0.3, typing: 0.03, command: 0.7, reading: 2 }

/** A line with the time at which it appears. */
interface Timed {
  readonly line: Line
  /** Seconds from the beginning. */
  readonly at: number
  /** How many characters are typed, and not printed. */
  readonly typed: number
}

/** Draws the steps. The same steps give the same text. */
export function drawSession(steps: readonly Step[]): string {
  const lines = timeline(steps)
  const scrolled = Math.max(0, lines.length - rows)
  const body = lines.map((timed, index) => drawLine(timed, index)).join('\n')
  const { at = 0 } = lines.at(-1) ?? {}
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="A terminal session: doctor, login, list and proxy">
<style>
${styleSheet(lines, at, scrolled)}
</style>
<rect width="${width}" height="${height}" rx="10" fill="#161b22" stroke="#484f58"/>
<circle cx="22" cy="18" r="6" fill="#ff5f57"/><circle cx="42" cy="18" r="6" fill="#febc2e"/><circle cx="62" cy="18" r="6" fill="#28c840"/>
<svg y="${titleHeight}" width="${width}" height="${rows * lineHeight}">
<g class="lines" xml:space="preserve">
${body}
</g>
</svg>
</svg>
`
}

function timeline(steps: readonly Step[]): readonly Timed[] {
  let at = 0.5
  return steps.flatMap(({ command, output }, index) => {
    const typed = [...command].length
    const prompt = [
      { text: '$ ', style: 'green' },
      { text: command, style: 'bold' },
    ]
    const start = at
    at += typed * pause.typing + pause.command
    const printed = linesOf(output, columns).map((line) => {
      at += line.length === 0 ? pause.paragraph : pause.line
      return { line, at, typed: 0 }
    })
    at += pause.reading
    const gap = index === steps.length - 1 ? [] : [{ line: [], at, typed: 0 }]
    return [{ line: prompt, at: start, typed }, ...printed, ...gap]
  })
}

/**
 * Without animation, or when it has ended, the end of the session is seen. Whoever asks for less motion sees that
 * at once.
 */
function styleSheet(lines: readonly Timed[], end: number, scrolled: number): string {
  const percent = (seconds: number) => `${Number(((seconds / end) * 100).toFixed(2))}%`
  const steps = lines.flatMap(({ at }, index) => {
    const hidden = index + 1 - rows
    return hidden > 0 ? [`${percent(at)}{transform:translateY(${-hidden * lineHeight}px)}`] : []
  })
  const total = Number(end.toFixed(2))
  return `text{font:14px ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;fill:#e6edf3;white-space:pre}
.lines{transform:translateY(${-scrolled * lineHeight}px)}
.bold{font-weight:600}.dim{fill:#9198a1}.red{fill:#ff7b72}.green{fill:#56d364}.yellow{fill:#e3b341}.cyan{fill:#76e3ea}
@media (prefers-reduced-motion:no-preference){
.lines{animation:scroll ${total}s step-end backwards}
.line{animation:appear .01s backwards}
.typed{animation:type backwards}
}
@keyframes appear{from{visibility:hidden}}
@keyframes type{from{clip-path:inset(0 100% 0 0)}}
@keyframes scroll{0%{transform:none}${steps.join('')}${scrolled > 0 ? '' : '100%{transform:none}'}}`
}

function drawLine({ line, at, typed }: Timed, index: number): string {
  const y = baseline + index * lineHeight
  let column = 0
  const texts = line.map(({ text, style }, part) => {
    const x = round(padding + column * characterWidth)
    const length = [...text].length
    column += length
    const isTyped = typed > 0 && part === 1
    const classes = [...(style === '' ? [] : [style]), ...(isTyped ? ['typed'] : [])].join(' ')
    const typing = `animation-delay:${round(at)}s;animation-duration:${round(typed * pause.typing)}s;animation-timing-function:steps(${typed})`
    return `<text x="${x}" y="${y}" textLength="${round(length * characterWidth)}"${
      classes === '' ? '' : ` class="${classes}"`
    }${isTyped ? ` style="${typing}"` : ''}>${escaped(text)}</text>`
  })
  if (texts.length === 0) return ''
  return `<g class="line" style="animation-delay:${round(at)}s">${texts.join('')}</g>`
}

function round(number: number): number {
  return Number(number.toFixed(2))
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
