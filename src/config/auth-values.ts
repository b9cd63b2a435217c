/**
 * Converts the checked options of an `auth` block to options of a provider.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import type { Secret } from '../credential.ts'
import { command } from '../secret.ts'
import { argvOf, commandOf, fits, type Nested } from './auth-options.ts'
import { placedIn } from './command-line.ts'
import { type FileContext, parseReference, secretOf } from './file-context.ts'
import { jsonOf, membersOf, textOf, textsOf } from './nodes.ts'
import type { OptionSpec, OptionSpecs } from './option-specs.ts'
import { expand, secretText } from './template.ts'

/** Converts checked options to values. */
export function optionValues(
  where: string,
  node: Node,
  specs: OptionSpecs,
  fileContext: FileContext,
  nested: Nested,
): Record<string, unknown> {
  const entries = [...(membersOf(node, 'an object', () => {}) ?? [])].flatMap(
    ([name, { value }]): [string, unknown][] => {
      const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
      if (spec === undefined) return []
      return [[name, optionValue(`${where}.${name}`, value, spec, fileContext, nested)]]
    },
  )
  return Object.fromEntries(entries)
}

function optionValue(
  where: string,
  node: Node,
  spec: OptionSpec,
  fileContext: FileContext,
  nested: Nested,
): unknown {
  const map = (read: (name: string, text: string) => unknown) =>
    Object.fromEntries(
      [...textsOf(node, '', () => {})].map(([name, { text }]) => [name, read(name, text)]),
    )
  switch (spec.kind) {
    case 'text':
      return expand(textOf(node) ?? '', fileContext)
    case 'texts':
      return (node.children ?? []).map((each) => expand(textOf(each) ?? '', fileContext))
    case 'textMap':
      return map((_name, text) => expand(text, fileContext))
    case 'secretMap':
      return map((name, text) => readable(`${where}.${name}`, text, fileContext))
    case 'secret':
    case 'public':
      return secretValue(where, node, fileContext)
    case 'command':
      return placedIn(fileContext.directory, argvOf(node) ?? [])
    case 'members':
      return optionValues(where, node, spec.members, fileContext, nested)
    case 'providers':
      return (node.children ?? []).map((each) => nested.make(each))
    case 'either': {
      const fitting = spec.specs.find((one) => fits(one, node))
      return fitting && optionValue(where, node, fitting, fileContext, nested)
    }
    case 'choice':
    case 'flag':
    case 'number':
    case 'false':
    case 'json':
      return jsonOf(node)
    default:
      return spec satisfies never
  }
}

function secretValue(where: string, node: Node, fileContext: FileContext): Secret {
  const argv = commandOf(node)
  if (argv === undefined) return readable(where, textOf(node) ?? '', fileContext)
  return command(placedIn(fileContext.directory, argv))
}

function readable(where: string, text: string, fileContext: FileContext): Secret {
  const reference = parseReference(text)
  return reference === undefined
    ? secretText(where, text, fileContext)
    : secretOf(reference, fileContext)
}
