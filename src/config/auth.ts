/**
 * The `auth` block of a server: a provider with its options, as JSON.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import type { CredentialProvider } from '../credential.ts'
import { checkOptionSpecs, type Nested } from './auth-options.ts'
import { optionValues } from './auth-values.ts'
import type { FileContext } from './file-context.ts'
import { nearest } from './nearest.ts'
import { membersOf, textOf } from './nodes.ts'
import { type Report, shown } from './problems.ts'
import {
  type Dependencies,
  type ModuleName,
  type ProviderEntry,
  providerTable,
} from './provider-table.ts'

const ignored: readonly string[] = ['provider']

/** Checks a block, and reports problems to `report`. */
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
  else if (name === undefined) report(named.offset, `Expected a string for \`provider\`: ${hint}.`)
  else if (meant === undefined) {
    report(named.offset, `There is no provider \`${shown(name)}\`; expected ${hint}.`)
  } else report(named.offset, `There is no provider \`${shown(name)}\`; ${hint}`)
}

// Checks of nested blocks create no providers.
const checking: Nested = {
  check: checkAuth,
  make: () => {
    throw new Error('No provider is created while a file is checked.')
  },
}

/** The modules that a checked block requires. */
export function modulesOf(node: Node): ReadonlySet<ModuleName> {
  const needed = new Set<ModuleName>()
  for (const each of blocksOf(node)) {
    const { needs } = entryOf(each) ?? {}
    if (needs !== undefined) needed.add(needs)
  }
  return needed
}

/** Whether a checked block is that of `savedLogin`. */
export function isSavedLogin(node: Node): boolean {
  return entryOf(node) === providerTable.get('savedLogin')
}

/** Describes a checked block. */
export function describeAuth(node: Node): string {
  const [, ...inner] = blocksOf(node)
  const words = entryOf(node)?.description ?? 'unknown'
  if (inner.length === 0) return words
  return `${words} ${nestedIn(node).map(describeAuth).join(', ')}`
}

/**
 * Creates the provider of a checked block.
 *
 * @throws `ConfigurationError` when the provider itself refuses an option; `CredentialError` when a
 *   variable in an option that is not a secret is not set.
 */
export function makeAuth(
  node: Node,
  fileContext: FileContext,
  dependencies: Dependencies,
): CredentialProvider {
  const name = textOf(membersOf(node, '', () => {})?.get('provider')?.value) ?? ''
  const entry = providerTable.get(name)
  if (entry === undefined) throw new Error('The block was not checked.')
  const making: Nested = {
    ...checking,
    make: (inner) => makeAuth(inner, fileContext, dependencies),
  }
  const options = optionValues(name, node, entry.options, fileContext, making)
  return entry.make(options as never, dependencies)
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
