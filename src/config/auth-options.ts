/**
 * Checks the options of an `auth` block.
 *
 * @module
 */
import type { Node } from 'jsonc-parser'
import type { CredentialProvider } from '../credential.ts'
import { splitCommand } from './command-line.ts'
import { parseReference, referenceProblem } from './file-context.ts'
import { isLiteralSecret } from './literal-secrets.ts'
import { nearest } from './nearest.ts'
import { membersOf, textOf, textsOf } from './nodes.ts'
import type { OptionSpec, OptionSpecs } from './option-specs.ts'
import { type Report, shown } from './problems.ts'
import { literalOf, parseTemplate, readsAnything } from './template.ts'

/** Functions that check and create an `auth` block within an option. */
export interface Nested {
  check(node: Node, report: Report): void
  make(node: Node): CredentialProvider
}

const referenceForms = `"env:NAME", "file:PATH", "keychain:SERVICE/ACCOUNT", "stored:NAME", "command:PROGRAM …" or "\${NAME}"`

/** Checks the members of an object against their specifications. */
export function checkOptionSpecs(
  where: string,
  node: Node,
  specs: OptionSpecs,
  nested: Nested,
  report: Report,
  ignored: readonly string[] = [],
): void {
  const members = membersOf(node, `an object for \`${where}\``, report)
  if (members === undefined) return
  const names = Object.keys(specs)
  for (const [name, { key, value }] of members) {
    if (ignored.includes(name)) continue
    const spec = Object.hasOwn(specs, name) ? specs[name] : undefined
    if (spec !== undefined) checkOption(`${where}.${name}`, value, spec, nested, report)
    else report(key.offset, unknownOption(where, name, names))
  }
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.required === true && !members.has(name)) {
      report(node.offset, `\`${where}\` requires \`${name}\`: ${firstLower(spec.about)}`)
    }
  }
}

function unknownOption(where: string, name: string, names: readonly string[]): string {
  const meant = nearest(name, names)
  const known = `the options are ${names.join(', ')}`
  const hint = meant === undefined ? known : `did you mean \`${meant}\`?`
  return `\`${where}\` has no option \`${shown(name)}\`; ${hint}${meant === undefined ? '.' : ''}`
}

function firstLower(about: string): string {
  return `${about.slice(0, 1).toLowerCase()}${about.slice(1)}`
}

function checkOption(
  where: string,
  node: Node,
  spec: OptionSpec,
  nested: Nested,
  report: Report,
): void {
  if (!fits(spec, node)) {
    report(node.offset, `Expected ${expectation(spec)} for \`${where}\`.`)
    return
  }
  switch (spec.kind) {
    case 'members':
      checkOptionSpecs(where, node, spec.members, nested, report)
      break
    case 'either': {
      const fitting = spec.specs.find((one) => fits(one, node))
      if (fitting !== undefined) checkOption(where, node, fitting, nested, report)
      break
    }
    case 'providers':
      for (const each of node.children ?? []) nested.check(each, report)
      break
    case 'textMap':
      textsOf(node, expectation(spec), report)
      break
    case 'json':
      membersOf(node, expectation(spec), report)
      break
    case 'secretMap':
      checkSecretMap(where, node, report)
      break
    default: {
      const problem = valueProblem(spec, node)
      if (problem !== undefined) report(node.offset, `Expected ${problem} for \`${where}\`.`)
    }
  }
}

/** Whether a value has the expected kind; its content is checked elsewhere. */
export function fits(spec: OptionSpec, node: Node): boolean {
  const isList = node.type === 'array'
  switch (spec.kind) {
    case 'flag':
      return node.type === 'boolean'
    case 'number':
      return node.type === 'number'
    case 'false':
      return node.type === 'boolean' && node.value === false
    case 'texts':
      return isList && (node.children ?? []).every(({ type }) => type === 'string')
    case 'providers':
      return isList && (node.children ?? []).length > 0
    case 'members':
    case 'json':
    case 'textMap':
    case 'secretMap':
      return node.type === 'object'
    case 'command':
    case 'secret':
    case 'public':
      return node.type === 'string' || isList || commandOf(node) !== undefined
    case 'choice':
    case 'text':
      return node.type === 'string'
    case 'either':
      return spec.specs.some((one) => fits(one, node))
    default:
      return spec satisfies never
  }
}

/** What was expected instead of a value; `undefined`: the value is valid. */
function valueProblem(spec: OptionSpec, node: Node): string | undefined {
  const value = textOf(node)
  switch (spec.kind) {
    case 'choice':
      return spec.values.includes(value ?? '') ? undefined : expectation(spec)
    case 'text':
      return parseTemplate(value ?? '').problem === undefined ? undefined : expectation(spec)
    case 'command':
      return argvOf(node) === undefined ? expectation(spec) : undefined
    case 'secret':
      return isReference(node) ? undefined : expectation(spec)
    case 'public': {
      if (commandOf(node) !== undefined) return undefined
      const reference = parseReference(value ?? '')
      const problem = reference === undefined ? undefined : referenceProblem(reference)
      return value === undefined || problem !== undefined ? expectation(spec) : undefined
    }
    default:
      return undefined
  }
}

function expectation(spec: OptionSpec): string {
  switch (spec.kind) {
    case 'flag':
      return 'true or false'
    case 'number':
      return 'a number'
    case 'false':
      return 'false'
    case 'texts':
      return 'a list of strings'
    case 'providers':
      return 'a list of `auth` blocks'
    case 'textMap':
    case 'secretMap':
      return 'an object of strings'
    case 'json':
    case 'members':
      return 'an object'
    case 'choice':
      return `one of ${spec.values.join(', ')}`
    case 'command':
      return 'a program with its arguments, as a list or as a command line without shell syntax'
    case 'secret':
      return `a reference, because secrets must not be in the file: ${referenceForms}`
    case 'either':
      return spec.specs.map(expectation).join(', or ')
    case 'public':
    case 'text':
      return 'a string'
    default:
      return spec satisfies never
  }
}

function checkSecretMap(where: string, node: Node, report: Report): void {
  for (const [name, { value, text }] of textsOf(node, 'an object of strings', report)) {
    const reference = parseReference(text)
    const problem =
      reference === undefined ? parseTemplate(text).problem : referenceProblem(reference)
    if (problem !== undefined) report(value.offset, `\`${where}.${shown(name)}\` ${problem}.`)
    const literal = reference === undefined ? literalOf(parseTemplate(text)) : ''
    if (!isLiteralSecret(name, literal)) continue
    const expected = expectation({ kind: 'secret', about: '' })
    report(value.offset, `Expected ${expected} for \`${where}.${shown(name)}\`.`)
  }
}

/** Whether a value is only a reference to a secret; a default would be a literal secret. */
function isReference(node: Node): boolean {
  if (commandOf(node) !== undefined) return true
  const value = textOf(node)
  if (value === undefined) return false
  const reference = parseReference(value)
  if (reference !== undefined) return referenceProblem(reference) === undefined
  const template = parseTemplate(value)
  return template.problem === undefined && readsAnything(template) && literalOf(template) === ''
}

/** The program of `{ "command": [ … ] }`. */
export function commandOf(node: Node): readonly string[] | undefined {
  const [member, second] = node.type === 'object' ? (node.children ?? []) : []
  const [key, value] = member?.children ?? []
  if (second !== undefined || key?.value !== 'command' || value === undefined) return undefined
  return argvOf(value)
}

/** A program with its arguments; `undefined`: the value is not a command. */
export function argvOf(node: Node): readonly string[] | undefined {
  if (node.type === 'array') {
    const words = (node.children ?? []).map(textOf)
    const isList = words.every((word) => word !== undefined && !word.includes('\0'))
    return isList && words[0] !== undefined && words[0] !== '' ? (words as string[]) : undefined
  }
  const words = splitCommand(textOf(node) ?? '')
  return 'problem' in words ? undefined : words
}
