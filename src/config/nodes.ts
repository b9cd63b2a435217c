/**
 * Reads the nodes of a parsed file; names are untrusted.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import { printable } from '../labels.ts'
import { type Report, shown } from './problems.ts'

/** A member of an object: the nodes of its name and value. */
export interface Member {
  readonly key: Node
  readonly value: Node
}

/** The most characters of a name. Longer names and invisible ones are errors or attacks. */
const longestName = 200

/** The members of an object by name; `undefined`: it is not an object, which was reported. */
export function membersOf(
  node: Node,
  expected: string,
  report: Report,
): ReadonlyMap<string, Member> | undefined {
  if (node.type !== 'object') {
    report(node.offset, `Expected ${expected}.`)
    return undefined
  }
  const members = new Map<string, Member>()
  for (const { children = [] } of node.children ?? []) {
    const [key, value] = children
    const name: unknown = key?.value
    // The parser has reported a member without a value.
    if (key === undefined || value === undefined || typeof name !== 'string') continue
    const problem = nameProblem(name)
    if (problem !== undefined) report(key.offset, `Expected a name that ${problem}.`)
    else if (members.has(name)) report(key.offset, `\`${shown(name)}\` appears twice.`)
    else members.set(name, { key, value })
  }
  return members
}

function nameProblem(name: string): string | undefined {
  if (name === '__proto__') return 'is not __proto__'
  if (name.length > longestName) return `has at most ${longestName} characters`
  return printable(name, '') === name ? undefined : 'has no invisible characters'
}

/** The members of an object of strings; other values are reported. */
export function textsOf(
  node: Node,
  expected: string,
  report: Report,
): ReadonlyMap<string, { readonly key: Node; readonly value: Node; readonly text: string }> {
  const found = new Map<string, { key: Node; value: Node; text: string }>()
  for (const [name, { key, value }] of membersOf(node, expected, report) ?? []) {
    if (value.type === 'string') found.set(name, { key, value, text: textOf(value) ?? '' })
    // Some clients write environment variables as numbers and booleans.
    else if (value.type === 'number' || value.type === 'boolean') {
      found.set(name, { key, value, text: String(value.value) })
    } else report(value.offset, `Expected a string for \`${shown(name)}\`.`)
  }
  return found
}

/** The string of a node; `undefined`: it is not a string. */
export function textOf(node: Node | undefined): string | undefined {
  const value: unknown = node?.type === 'string' ? node.value : undefined
  return typeof value === 'string' ? value : undefined
}

/** The value of a JSON node; `__proto__` is an ordinary name. */
export function jsonOf(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(jsonOf)
  if (node.type !== 'object') return node.value as unknown
  const entries = (node.children ?? []).flatMap(({ children = [] }): [string, unknown][] => {
    const [key, value] = children
    return value === undefined ? [] : [[String(key?.value), jsonOf(value)]]
  })
  // `fromEntries` defines members, so it never sets a prototype.
  return Object.fromEntries(entries)
}
