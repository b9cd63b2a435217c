/**
 * Hides the secrets of config files before they are printed.
 *
 * @module
 */
import { applyEdits, type Edit, type Node, parseTree, stripComments } from 'jsonc-parser'
import { labelOf, printable } from './labels.ts'

/** Printed instead of a secret. */
const hidden = '<hidden>'

// Wider than the patterns for warnings: hiding a harmless text does no damage.
const secretName =
  /key|token|secret|pass(?:w|phrase)|pwd|auth|cookie|session|signature|credential|bearer|jwt|(?:^|[-_])pat(?:$|[-_])/i
const secretValue =
  /^(?:Bearer|Basic|Token)\s+\S|^(?:sk|pk|rk)[-_]|^gh[opsur]_|^github_pat_|^glpat-|^xox[a-z]-|^AKIA|^AIza|^npm_|^eyJ|PRIVATE KEY/i
// The names of these members say nothing about secrets, so only their values are checked.
const plainMember = /^(?:type|provider|command|header|clientId|issuer|.*(?:Endpoint|Url))$/i
const reference = /\$\{[^{}]*\}/g
const wholeReference = /^(?:env|file|keychain|stored|input):/

/** The text of a file with secrets hidden. Comments are removed, because they may contain secrets. */
export function withHiddenSecrets(text: string): {
  readonly text: string
  readonly hidden: number
} {
  const bare = stripComments(text)
  const root = parseTree(bare, [], { allowTrailingComma: true })
  const edits = root === undefined ? [] : editsOf(root, '')
  const lines = applyEdits(bare, edits)
    .split('\n')
    .map((line) => printable(line).trimEnd())
  return { text: lines.join('\n'), hidden: edits.length }
}

function editsOf(node: Node, member: string): Edit[] {
  const { children = [], type } = node
  if (type === 'property') {
    const [key, value] = children
    return value === undefined ? [] : editsOf(value, String(key?.value))
  }
  if (type === 'array') {
    return children.flatMap((each, index) => editsOf(each, flagBefore(children, index) ?? member))
  }
  if (type === 'object') return children.flatMap((each) => editsOf(each, ''))
  if (type !== 'string') return []
  const text = String(node.value)
  const content = shownText(member, text)
  if (content === text) return []
  return [{ offset: node.offset, length: node.length, content: JSON.stringify(content) }]
}

/** The arguments of a command with secrets hidden. */
export function withHiddenArguments(args: readonly string[]): readonly string[] {
  return args.map((text, index) => shownText(flagIn(args[index - 1]) ?? '', text))
}

// Options of well-known programs whose value is a header, or a user name with a password.
const headerFlag = /^(?:-H|--header)$/
const passwordFlag = /^(?:-u|--user|-p)$/
const assignedFlag = /^(--?[\w-]+)=(.+)$/s
const passwordInUrl = /(:\/\/)[^\s/?#]*@/g
const assignedSecret =
  /(?:^|[;?&\s,])[\w .-]*(?:key|token|secret|pass|pwd|auth|credential|session|signature)[\w .-]*=\s*[^\s;&]/i

function shownText(member: string, text: string): string {
  const [, flag, assigned] = assignedFlag.exec(text) ?? []
  if (flag !== undefined && assigned !== undefined && isFlagOfSecret(flag)) {
    return `${flag}=${shownText(flag, assigned)}`
  }
  const [, name, between, value] = /^([\w-]+)(:\s*)(?!\/\/)(.+)$/s.exec(text) ?? []
  if (headerFlag.test(member)) {
    if (literalOf(value ?? text) === '') return text
    return name === undefined ? hidden : `${name}${between}${hidden}`
  }
  if (name !== undefined && value !== undefined && !wholeReference.test(text)) {
    if (isSecret(name, value)) return `${name}${between}${hidden}`
  }
  if (passwordFlag.test(member) && literalOf(text) !== '') return hidden
  if (isUrl(text)) return shownUrl(text)
  if (isSecret(member, text) || assignedSecret.test(literalOf(text))) return hidden
  return text.replace(passwordInUrl, `$1${hidden}@`)
}

function isFlagOfSecret(flag: string): boolean {
  return headerFlag.test(flag) || passwordFlag.test(flag)
}

/** The literal part of a text: references are removed, except for their defaults. */
function literalOf(text: string): string {
  return text.replace(reference, (each) => /:-([^}]*)/.exec(each)?.[1] ?? '').trim()
}

function isUrl(text: string): boolean {
  return /^https?:/i.test(text) && URL.canParse(literalOf(text))
}

/** A URL without password, query and path segments that look like tokens. */
function shownUrl(text: string): string {
  const { username, password, hash, searchParams, ...url } = partsOf(literalOf(text))
  const isQuerySecret = [...searchParams.values()].some((value) => value !== '') || hash !== ''
  const label = labelOf(url.place)
  const isBare = username === '' && password === '' && !isQuerySecret
  if (isBare && label === url.place) return text
  return isQuerySecret ? `${label}?${hidden}` : label
}

function partsOf(text: string) {
  const { origin, pathname, username, password, hash, searchParams } = new URL(text)
  return { place: `${origin}${pathname}`, username, password, hash, searchParams }
}

/** The command-line option that precedes an argument. */
function flagBefore(args: readonly Node[], index: number): string | undefined {
  return flagIn(args[index - 1]?.value)
}

function flagIn(text: unknown): string | undefined {
  return typeof text === 'string' && /^-[^=]*$/.test(text) ? text : undefined
}

/** Whether the value of a member, a header or an option is a secret; in doubt: yes. */
export function isSecret(member: string, text: string): boolean {
  const value = literalOf(text)
  if (/^(?:|bearer|basic|token|true|false|none)$/i.test(value)) return false
  if (wholeReference.test(value)) return false
  if (secretValue.test(value)) return true
  const flag = /^-[^=]*(?==.)/.exec(value)?.[0]
  if (flag !== undefined && secretName.test(flag)) return true
  if (/^--?[a-z][\w-]*$/i.test(value)) return false
  if (!plainMember.test(member) && secretName.test(member)) return true
  // A long run of letters and digits that is neither words nor a path.
  return (value.match(/[\w+=~-]{24,}/g) ?? []).some((run) => /\d/.test(run) && /[a-z]/i.test(run))
}
