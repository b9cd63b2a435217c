/**
 * Derives the findings from the observations, without further requests.
 *
 * @module
 */
import type { SavedCredential } from '../../auto/index.ts'
import type { ConfiguredServer } from '../../config/index.ts'
import { commandWord, labelOf, printable } from '../labels.ts'
import { checkConnection, dateOf } from './check-connection.ts'
import { checkAuthorization } from './check-issuer.ts'
import { checkServer } from './check-server.ts'
import { type Finding, note, ok, problem } from './finding.ts'
import { type Observations, responsesOf } from './observations.ts'
import { cleaned, issuerLabel, listed, quoted } from './untrusted-text.ts'

/** The overall result. */
export type Outcome = 'ok' | 'problem' | 'unreachable'

/** Derives all findings. */
export function checkAll(observed: Observations): readonly Finding[] {
  return [
    ...checkConnection(observed),
    ...checkServer(observed),
    ...checkAuthorization(observed),
    ...(observed.entry === undefined ? [] : [checkEntry(observed.entry)]),
    ...checkSaved(observed),
  ]
}

/** Derives the overall result. */
export function outcomeOf(observed: Observations, findings: readonly Finding[]): Outcome {
  const isUntrusted = observed.certificate?.problem !== undefined
  if (responsesOf(observed.conversation).length === 0 && !isUntrusted) return 'unreachable'
  return findings.some(({ verdict }) => verdict === 'problem') ? 'problem' : 'ok'
}

/** Describes the config entry. Its secrets are not read, so they cannot be shown. */
function checkEntry({
  name,
  file,
  line,
  environment,
  auth,
  usesSavedLogin,
  problem: why,
}: ConfiguredServer): Finding {
  const chosen = environment === undefined ? '' : `, environment ${cleaned(environment)}`
  const place = `The entry \`${cleaned(name)}\` of ${printable(file)}, line ${line}${chosen}.`
  if (why !== undefined) {
    return problem(
      'config',
      `${place} It cannot be used: ${cleaned(why, 200)}.`,
      'Correct the entry.',
    )
  }
  const kind = usesSavedLogin ? 'the stored credential of the server' : auth
  return { ...ok('config', `${place} Credential: ${kind}.`), remedy: testCommand(name) }
}

function testCommand(server: string, account = 'default'): string {
  const flag = account === 'default' ? '' : ` --account ${commandWord(account)}`
  return `Not tested; to test it, run \`npx mcp-credentials status ${commandWord(server)}${flag}\`.`
}

function checkSaved(observed: Observations): readonly Finding[] {
  const { saved, at } = observed
  if ('code' in saved) {
    return [note('stored', saved.message, saved.remedy ?? 'Run `npx mcp-credentials list`.')]
  }
  if (saved.length > 0) return saved.map((each) => checkOne(each, observed, at))
  return [ok('stored', 'No credential is stored for this server.')]
}

function checkOne(saved: SavedCredential, observed: Observations, at: number): Finding {
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
  const named = observed.authorization?.named ?? []
  if (issuer !== undefined && named.length > 0 && !named.includes(issuer)) {
    const more = 'The server names another authorization server now.'
    return problem('stored', `${text} ${more}`, login)
  }
  const until =
    expiresAt === undefined
      ? ''
      : isOver
        ? ' Its token has expired, and is renewed at the next use.'
        : ` Its token is valid until ${new Date(expiresAt).toISOString().slice(0, 16).replace('T', ' ')} UTC.`
  const server = observed.entry?.name ?? labelOf(observed.url)
  return { ...ok('stored', `${text}${until}`), remedy: testCommand(server, account) }
}
