/**
 * Checks that a value is a credential record that can be written as JSON and read back.
 *
 * @module
 */
import type { CredentialRecord } from './credential.ts'

/** No record is nested more deeply. A deeper value may be circular. */
const deepest = 100

/** Whether a value is a record of the known version that JSON preserves. */
export function isCredentialRecord(value: unknown): value is CredentialRecord {
  return recordProblem(value) === undefined
}

/** Whether the store holds no login. The mark of a login that has just begun does not count. */
export function isEmpty(record: CredentialRecord | undefined): boolean {
  return record === undefined || Object.keys(record.data).length === 0
}

/**
 * Returns why a value is not a record, without its content; `undefined`: it is one. JSON silently changes
 * values that it cannot represent: `Infinity` becomes `null`, and the record could not be read again.
 */
export function recordProblem(value: unknown): string | undefined {
  if (!isPlain(value)) return 'it is not an object'
  const wrong = Object.entries(members).find(([name, holds]) => !holds(value[name]))
  return wrong === undefined ? jsonProblem(value, 0) : `\`${wrong[0]}\` is missing or wrong`
}

type Holds = (member: unknown) => boolean

const isText: Holds = (member) => typeof member === 'string'
const isTime: Holds = (member) => Number.isFinite(member)
const optional =
  (holds: Holds): Holds =>
  (member) =>
    member === undefined || holds(member)

const members: Readonly<Record<string, Holds>> = {
  version: (member) => member === 1,
  provider: isText,
  data: isPlain,
  issuer: optional(isText),
  login: optional(isText),
  generation: optional(isTime),
  obtainedAt: optional(isTime),
  expiresAt: optional(isTime),
  pending: optional((mark) => isPlain(mark) && isTime(mark['at']) && isText(mark['by'])),
  refused: optional((member) => member === true),
}

function jsonProblem(value: unknown, depth: number): string | undefined {
  if (typeof value === 'number') {
    return Number.isFinite(value) ? undefined : 'it contains a number that JSON cannot represent'
  }
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return undefined
  if (depth > deepest) return 'it is nested too deeply'
  if (!Array.isArray(value) && !isPlain(value))
    return 'it contains a value that JSON cannot represent'
  // JSON leaves out a member that is `undefined`, and reading it gives the same.
  const inner = Array.isArray(value)
    ? [...value]
    : Object.values(value).filter((member) => member !== undefined)
  for (const member of inner) {
    const problem = jsonProblem(member, depth + 1)
    if (problem !== undefined) return problem
  }
  return undefined
}

/** Whether a value is a plain object: not a list, and not an instance of a class. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  // Not compared with our own `Object.prototype`: there may be several realms.
  return prototype === null || Object.getPrototypeOf(prototype) === null
}
