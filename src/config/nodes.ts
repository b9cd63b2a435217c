/**
 * Parts of a parsed file, read without trust in their names.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import { printable } from '../labels.ts'
import { type Report, shown } from './problems.ts'

/** A member of an object: where its name is, and its value. */
export interface Member {
  readonly key: Node
  readonly value: Node
}

/** Longer names, and those that do not show, are mistakes or attacks. */
const longestName = 200

/** The members of an object by name; `undefined`, with a problem: it is none. */
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

/** The texts of an object of texts; what is no text is a problem. */
export function textsOf(
  node: Node,
  expected: string,
  report: Report,
): ReadonlyMap<string, { readonly key: Node; readonly value: Node; readonly text: string }> {
  const found = new Map<string, { key: Node; value: Node; text: string }>()
  for (const [name, { key, value }] of membersOf(node, expected, report) ?? []) {
    if (value.type === 'string') found.set(name, { key, value, text: textOf(value) ?? '' })
    // Some clients write numbers and switches of the environment as such.
    else if (value.type === 'number' || value.type === 'boolean') {
      found.set(name, { key, value, text: String(value.value) })
    } else report(value.offset, `Expected a text for \`${shown(name)}\`.`)
  }
  return found
}

/** The text of a node; `undefined`: it is none. */
export function textOf(node: Node | undefined): string | undefined {
  const value: unknown = node?.type === 'string' ? node.value : undefined
  return typeof value === 'string' ? value : undefined
}

/** Any JSON as a value; `__proto__` is a name like any other in it. */
export function jsonOf(node: Node): unknown {
  if (node.type === 'array') return (node.children ?? []).map(jsonOf)
  if (node.type !== 'object') return node.value as unknown
  const entries = (node.children ?? []).flatMap(({ children = [] }): [string, unknown][] => {
    const [key, value] = children
    return value === undefined ? [] : [[String(key?.value), jsonOf(value)]]
  })
  // It defines members, and so never sets a prototype.
  return Object.fromEntries(entries)
}
