/**
 * The findings of an examination.
 *
 * @module
 */

/** `ok`: correct; `note`: useful to know; `problem`: a client cannot work, or not safely. */
export type Verdict = 'ok' | 'note' | 'problem'

/** One line of the report. */
export interface Finding {
  /** A stable identifier for programs, such as `pkce`. */
  readonly id: string
  readonly verdict: Verdict
  /** What was found, in one or two sentences. */
  readonly text: string
  /** What to do. Every problem has a remedy. */
  readonly remedy?: string
  /** The authorization server that it concerns. */
  readonly issuer?: string
}

/** Creates a finding that is correct. */
export function ok(id: string, text: string): Finding {
  return { id, verdict: 'ok', text }
}

/** Creates a note. */
export function note(id: string, text: string, remedy?: string): Finding {
  return { id, verdict: 'note', text, ...(remedy === undefined ? {} : { remedy }) }
}

/** Creates a problem. */
export function problem(id: string, text: string, remedy: string): Finding {
  return { id, verdict: 'problem', text, remedy }
}
