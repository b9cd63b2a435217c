/**
 * The `auth` block of a server: a provider with its options, as JSON.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import type { CredentialProvider } from '../credential.ts'
import { checkOptionSpecs, type Nested } from './auth-options.ts'
import { optionValues } from './auth-values.ts'
import { nearest } from './nearest.ts'
import { membersOf, textOf } from './nodes.ts'
import { type Report, shown } from './problems.ts'
import { type ProviderEntry, providerTable, type ToolModule, type Tools } from './provider-table.ts'
import type { Surroundings } from './surroundings.ts'

const ignored: readonly string[] = ['provider']

/** Checks a block; what is wrong goes to `report`. */
export function checkAuth(node: Node, report: Report): void {
  const members = membersOf(node, 'an `auth` block: an object with `provider`', report)
  if (members === undefined) return
  const named = members.get('provider')?.value
  const name = textOf(named)
  const entry = name === undefined ? undefined : providerTable.get(name)
  if (name !== undefined && entry !== undefined) {
    checkOptionSpecs(name, node, entry.options, checking, report, ignored)
    return
  }
  const names = [...providerTable.keys()]
  const meant = name === undefined ? undefined : nearest(name, names)
  const hint = meant === undefined ? `one of ${names.join(', ')}` : `did you mean \`${meant}\`?`
  if (named === undefined) report(node.offset, `Expected \`provider\` in \`auth\`: ${hint}.`)
  else if (name === undefined) report(named.offset, `Expected a text for \`provider\`: ${hint}.`)
  else if (meant === undefined) {
    report(named.offset, `There is no provider \`${shown(name)}\`; expected ${hint}.`)
  } else report(named.offset, `There is no provider \`${shown(name)}\`; ${hint}`)
}

// Checks of nested blocks make nothing.
const checking: Nested = {
  check: checkAuth,
  make: () => {
    throw new Error('Nothing is made while a file is checked.')
  },
}

/** The modules that a checked block needs. */
export function modulesOf(node: Node): ReadonlySet<ToolModule> {
  const needed = new Set<ToolModule>()
  for (const each of blocksOf(node)) {
    const { needs } = entryOf(each) ?? {}
    if (needs !== undefined) needed.add(needs)
  }
  return needed
}

/** What a checked block is, in words. */
export function describeAuth(node: Node): string {
  const [, ...inner] = blocksOf(node)
  const words = entryOf(node)?.words ?? 'unknown'
  if (inner.length === 0) return words
  return `${words} ${nestedIn(node).map(describeAuth).join(', ')}`
}

/**
 * Makes the provider of a checked block.
 *
 * @throws `ConfigurationError` when the provider itself refuses an option; `CredentialError` when a variable in an
 * option that is no secret is not set.
 */
export function makeAuth(node: Node, surroundings: Surroundings, tools: Tools): CredentialProvider {
  const name = textOf(membersOf(node, '', () => {})?.get('provider')?.value) ?? ''
  const entry = providerTable.get(name)
  if (entry === undefined) throw new Error('The block was not checked.')
  const making: Nested = { ...checking, make: (inner) => makeAuth(inner, surroundings, tools) }
  const options = optionValues(name, node, entry.options, surroundings, making)
  return entry.make(options as never, tools)
}

function entryOf(node: Node): ProviderEntry | undefined {
  const name = textOf(membersOf(node, '', () => {})?.get('provider')?.value)
  return name === undefined ? undefined : providerTable.get(name)
}

function nestedIn(node: Node): readonly Node[] {
  const { options } = entryOf(node) ?? {}
  const list = membersOf(node, '', () => {})?.get('providers')?.value
  return options?.['providers']?.kind === 'providers' ? (list?.children ?? []) : []
}

function blocksOf(node: Node): readonly Node[] {
  return [node, ...nestedIn(node).flatMap(blocksOf)]
}
