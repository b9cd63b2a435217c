/**
 * Judges what was seen. Nothing is asked any more, so the same sight gives the same words.
 *
 * @module
 */
import type { SavedCredential } from '../../auto/index.ts'
import type { ConfiguredServer } from '../../config/index.ts'
import { commandWord, labelOf, printable } from '../labels.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import { dateOf, judgeConnection } from './judge-connection.ts'
import { judgeAuthorization } from './judge-issuer.ts'
import { judgeServer } from './judge-server.ts'
import { repliesOf, type Seen } from './seen.ts'
import { cleaned, issuerLabel, listed, quoted } from './shown.ts'

/** What the whole comes to. */
export type Outcome = 'ok' | 'problem' | 'unreachable'

/** Judges everything that was seen. */
export function judge(seen: Seen): readonly Finding[] {
  return [
    ...judgeConnection(seen),
    ...judgeServer(seen),
    ...judgeAuthorization(seen),
    ...(seen.entry === undefined ? [] : [judgeEntry(seen.entry)]),
    ...judgeSaved(seen),
  ]
}

/** What the whole comes to. */
export function outcomeOf(seen: Seen, findings: readonly Finding[]): Outcome {
  const isUntrusted = seen.certificate?.problem !== undefined
  if (repliesOf(seen.conversation).length === 0 && !isUntrusted) return 'unreachable'
  return findings.some(({ verdict }) => verdict === 'problem') ? 'problem' : 'ok'
}

/** What the entry of the config file would send. Nothing of it is read, so that nothing secret can be shown. */
function judgeEntry({
  name,
  file,
  line,
  environment,
  auth,
  problem: why,
}: ConfiguredServer): Finding {
  const chosen = environment === undefined ? '' : `, environment ${cleaned(environment)}`
  const place = `The entry \`${cleaned(name)}\` of ${printable(file)}, line ${line}${chosen}.`
  if (why !== undefined) {
    return problem('config', `${place} It cannot be used: ${cleaned(why, 200)}.`, 'Correct it.')
  }
  const kind = auth.startsWith('saved login') ? 'what is stored for the server' : auth
  return { ...ok('config', `${place} Its credential: ${kind}.`), remedy: tryWith(name) }
}

function tryWith(server: string, account = 'default'): string {
  const flag = account === 'default' ? '' : ` --account ${commandWord(account)}`
  return `Not tried; \`npx mcp-credentials status ${commandWord(server)}${flag}\` tries it.`
}

function judgeSaved(seen: Seen): readonly Finding[] {
  const { saved, at } = seen
  if ('code' in saved) {
    return [note('stored', saved.message, saved.remedy ?? 'Run `npx mcp-credentials list`.')]
  }
  if (saved.length > 0) return saved.map((each) => judgeOne(each, seen, at))
  return [ok('stored', 'Nothing is stored for it.')]
}

function judgeOne(saved: SavedCredential, seen: Seen, at: number): Finding {
  const { kind, account, issuer, scopes, expiresAt, renewable } = saved
  const who = account === 'default' ? '' : ` for the account ${quoted(account)}`
  const from = issuer === undefined ? '' : ` of ${issuerLabel(issuer)}`
  const which = scopes.length === 0 ? '' : `, scopes ${listed(scopes)}`
  const text = `${/^[AH]/.test(kind) ? 'An' : 'A'} ${kind} is stored${who}${from}${which}.`
  const login = 'Run the command below to replace it.'
  if (saved.problem !== undefined) return problem('stored', `${text} ${saved.problem}`, login)
  const isOver = expiresAt !== undefined && expiresAt <= at
  if (isOver && !renewable) {
    return problem('stored', `${text} It expired on ${dateOf(expiresAt)}.`, login)
  }
  const named = seen.authorization?.named ?? []
  if (issuer !== undefined && named.length > 0 && !named.includes(issuer)) {
    const more = 'The server names another authorization server now.'
    return problem('stored', `${text} ${more}`, login)
  }
  const until =
    expiresAt === undefined
      ? ''
      : isOver
        ? ' Its token has ended, and is renewed when it is needed.'
        : ` Its token is valid until ${new Date(expiresAt).toISOString().slice(0, 16).replace('T', ' ')} UTC.`
  const server = seen.entry?.name ?? labelOf(seen.url)
  return { ...ok('stored', `${text}${until}`), remedy: tryWith(server, account) }
}
