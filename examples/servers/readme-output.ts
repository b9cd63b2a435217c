/**
 * Keeps the output that the README of an example shows true.
 *
 * @module
 */
import { readFileSync, writeFileSync } from 'node:fs'

const block = /(## What you will see\n(?:(?!\n## )[\s\S])*?\n```text\n)([\s\S]*?)(```\n)/

/** What differs each time an example runs. */
const masks = [/(?<=127\.0\.0\.1:)\d+/g, /(?<=enter )[A-Z]{4}-[A-Z]{4}/g, /\d+(?= renewals)/g]

/** The lines of an output, each once: some repeat as often as time allows, or come in another order. */
function linesOf(output: string): Set<string> {
  const masked = masks.reduce((text, mask) => text.replace(mask, '#'), output.trimEnd())
  return new Set(masked.split('\n'))
}

/** How an output differs from the one that a README shows. */
export function checkOutput(readme: string, output: string): string[] {
  const shown = block.exec(readFileSync(readme, 'utf8'))?.[2]
  if (shown === undefined) return ['its README shows no output']
  const [expected, found] = [linesOf(shown), linesOf(output)]
  const missing = [...expected].filter((line) => !found.has(line))
  const surplus = [...found].filter((line) => !expected.has(line))
  return [
    ...missing.map((line) => `its README shows a line that was not printed: ${line}`),
    ...surplus.map((line) => `its README does not show: ${line}`),
  ]
}

/** Writes an output into a README. */
export function writeOutput(readme: string, output: string): void {
  const text = readFileSync(readme, 'utf8')
  const written = text.replace(
    block,
    (_all, before: string, _shown, after: string) => `${before}${output.trimEnd()}\n${after}`,
  )
  writeFileSync(readme, written)
}
