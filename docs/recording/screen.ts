/**
 * The lines that a terminal shows.
 *
 * @module
 */

/** A piece of a line in one style. */
export interface Piece {
  readonly text: string
  /** Names of the styles that apply, such as `bold green`; empty: none. */
  readonly style: string
}

/** A line of the screen. */
export type Line = readonly Piece[]

// Of ECMA-48, "Select Graphic Rendition": what begins a style, and what ends it.
const begins: ReadonlyMap<string, string> = new Map([
  ['1', 'bold'],
  ['2', 'dim'],
  ['31', 'red'],
  ['32', 'green'],
  ['33', 'yellow'],
  ['36', 'cyan'],
])
const colours: readonly string[] = ['red', 'green', 'yellow', 'cyan']
const ends: ReadonlyMap<string, readonly string[]> = new Map([
  ['22', ['bold', 'dim']],
  ['39', colours],
])

/**
 * Lays a text out as a terminal of a width does.
 *
 * @throws `Error` when it holds an escape sequence other than those of colours and weights.
 */
export function linesOf(text: string, width: number): readonly Line[] {
  const styles = new Set<string>()
  const lines: Piece[][] = [[]]
  let used = 0
  // biome-ignore lint/suspicious/noControlCharactersInRegex: Escape sequences begin with one.
  for (const token of text.split(/(\u001b\[\d*m|\r?\n)/)) {
    if (token === '') continue
    if (token.endsWith('\n')) {
      lines.push([])
      used = 0
    } else if (token.startsWith('\u001b[') && token.endsWith('m'))
      select(styles, token.slice(2, -1))
    else {
      if (/\p{Cc}/u.test(token))
        throw new Error(`A terminal would not print ${JSON.stringify(token)}.`)
      for (const [index, part] of partsOf([...token], width - used, width).entries()) {
        if (index > 0) lines.push([])
        used = index > 0 ? [...part].length : used + [...part].length
        if (part !== '') lines.at(-1)?.push({ text: part, style: [...styles].join(' ') })
      }
    }
  }
  if (lines.at(-1)?.length === 0) lines.pop()
  return lines
}

/** Cuts a text: as much as is free on the present line, then whole lines. */
function partsOf(text: readonly string[], free: number, width: number): readonly string[] {
  const parts = [text.slice(0, free).join('')]
  for (let start = free; start < text.length; start += width) {
    parts.push(text.slice(start, start + width).join(''))
  }
  return parts
}

function select(styles: Set<string>, code: string): void {
  const style = begins.get(code)
  if (style !== undefined) styles.add(style)
  else if (ends.has(code)) for (const ended of ends.get(code) ?? []) styles.delete(ended)
  else throw new Error(`The style ${code} is not known.`)
}
