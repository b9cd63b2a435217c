/**
 * The result of an examination as JSON.
 *
 * @module
 */
import { labelOf } from '../labels.ts'
import { checkAll, type Outcome, outcomeOf } from './checks.ts'
import type { Finding } from './finding.ts'
import type { Observations } from './observations.ts'
import { type Recommendation, recommend } from './recommend.ts'

/**
 * The output of `doctor --json`. Members may be added; existing ones change only with `version`. It
 * contains no secrets, and texts of servers are cleaned.
 */
export interface Report {
  /** The version of this format. */
  readonly version: 1
  /** The server: origin and path, with segments that look like tokens shortened. */
  readonly url: string
  /** When the examination started (ISO 8601). */
  readonly examinedAt: string
  /** The overall result, which determines the exit codes 0, 1 and 5. */
  readonly outcome: Outcome
  /** The findings, in the order of the text. */
  readonly findings: readonly Finding[]
  /** The recommendation; absent: a problem must be solved first. */
  readonly recommendation?: Recommendation
}

/** Creates the report. */
export function reportOf(observed: Observations): Report {
  const findings = checkAll(observed)
  const recommendation = recommend(observed)
  return {
    version: 1,
    url: labelOf(observed.url),
    examinedAt: new Date(observed.at).toISOString(),
    outcome: outcomeOf(observed, findings),
    findings,
    ...(recommendation === undefined ? {} : { recommendation }),
  }
}
