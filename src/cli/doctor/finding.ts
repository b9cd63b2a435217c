/**
 * What an examination says, line by line.
 *
 * @module
 */

/** `ok`: as it should be; `note`: worth knowing; `problem`: a client cannot work, or not safely. */
export type Verdict = 'ok' | 'note' | 'problem'

/** One line of the examination. */
export interface Finding {
  /** A stable name, for programs: `pkce`, say. */
  readonly id: string
  readonly verdict: Verdict
  /** What was found, in a sentence or two. */
  readonly text: string
  /** What to do about it. Every problem has one. */
  readonly remedy?: string
  /** The authorization server that it is about. */
  readonly issuer?: string
}

/** What is as it should be. */
export function ok(id: string, text: string): Finding {
  return { id, verdict: 'ok', text }
}

/** What is worth knowing. */
export function note(id: string, text: string, remedy?: string): Finding {
  return { id, verdict: 'note', text, ...(remedy === undefined ? {} : { remedy }) }
}

/** What keeps a client from working. */
export function problem(id: string, text: string, remedy: string): Finding {
  return { id, verdict: 'problem', text, remedy }
}
