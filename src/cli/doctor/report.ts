/**
 * The result of an examination, as programs read it.
 *
 * @module
 */
import { labelOf } from '../labels.ts'
import type { Finding } from './finding.ts'
import { judge, type Outcome, outcomeOf } from './judge.ts'
import { type Recommendation, recommend } from './recommend.ts'
import type { Seen } from './seen.ts'

/**
 * What `doctor --json` prints. Members may be added; those that are here stay as long as `version` does. Nothing in
 * it is secret, and texts of servers are cleaned.
 */
export interface Report {
  /** The version of this form. */
  readonly version: 1
  /** The server: origin and path, in which segments that look like tokens are shortened. */
  readonly url: string
  /** When the examination began (ISO 8601). */
  readonly examinedAt: string
  /** What the whole comes to: the exit codes 0, 1 and 5. */
  readonly outcome: Outcome
  /** The lines, in the order of the text. */
  readonly findings: readonly Finding[]
  /** What is recommended; absent when something has to be mended first. */
  readonly recommendation?: Recommendation
}

/** Draws up the report. */
export function reportOf(seen: Seen): Report {
  const findings = judge(seen)
  const recommendation = recommend(seen)
  return {
    version: 1,
    url: labelOf(seen.url),
    examinedAt: new Date(seen.at).toISOString(),
    outcome: outcomeOf(seen, findings),
    findings,
    ...(recommendation === undefined ? {} : { recommendation }),
  }
}
