/**
 * What the checked options of an `auth` block become.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import type { Secret } from '../credential.ts'
import { command } from '../secret.ts'
import { argvOf, commandOf, fits, type Nested } from './auth-options.ts'
import { placedIn } from './command-line.ts'
import { jsonOf, membersOf, textOf, textsOf } from './nodes.ts'
import type { OptionSpec, OptionSpecs } from './option-specs.ts'
import { parseReference, type Surroundings, secretOf } from './surroundings.ts'
import { expand, secretText } from './template.ts'

/** What options that were checked become. */
export function optionValues(
  where: string,
  node: Node,
  specs: OptionSpecs,
  surroundings: Surroundings,
  nested: Nested,
): Record<string, unknown> {
  const entries = [...(membersOf(node, 'an object', () => {}) ?? [])].flatMap(
    ([name, { value }]): [string, unknown][] => {
      const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
      if (spec === undefined) return []
      return [[name, optionValue(`${where}.${name}`, value, spec, surroundings, nested)]]
    },
  )
  return Object.fromEntries(entries)
}

function optionValue(
  where: string,
  node: Node,
  spec: OptionSpec,
  surroundings: Surroundings,
  nested: Nested,
): unknown {
  const map = (read: (name: string, text: string) => unknown) =>
    Object.fromEntries(
      [...textsOf(node, '', () => {})].map(([name, { text }]) => [name, read(name, text)]),
    )
  switch (spec.kind) {
    case 'text':
      return expand(textOf(node) ?? '', surroundings)
    case 'texts':
      return (node.children ?? []).map((each) => expand(textOf(each) ?? '', surroundings))
    case 'textMap':
      return map((_name, text) => expand(text, surroundings))
    case 'secretMap':
      return map((name, text) => readable(`${where}.${name}`, text, surroundings))
    case 'secret':
    case 'public':
      return secretValue(where, node, surroundings)
    case 'command':
      return placedIn(surroundings.directory, argvOf(node) ?? [])
    case 'members':
      return optionValues(where, node, spec.members, surroundings, nested)
    case 'providers':
      return (node.children ?? []).map((each) => nested.make(each))
    case 'either': {
      const fitting = spec.specs.find((one) => fits(one, node))
      return fitting && optionValue(where, node, fitting, surroundings, nested)
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

function secretValue(where: string, node: Node, surroundings: Surroundings): Secret {
  const argv = commandOf(node)
  if (argv === undefined) return readable(where, textOf(node) ?? '', surroundings)
  return command(placedIn(surroundings.directory, argv))
}

function readable(where: string, text: string, surroundings: Surroundings): Secret {
  const reference = parseReference(text)
  return reference === undefined
    ? secretText(where, text, surroundings)
    : secretOf(reference, surroundings)
}
