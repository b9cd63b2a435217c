/**
 * Formats the report as text, for a terminal or an issue.
 *
 * @module
 */
import type { Style } from '../terminal.ts'
import type { Finding, Verdict } from './finding.ts'
import type { Recommendation } from './recommend.ts'
import type { Report } from './report.ts'

/** The layout of the text. */
export interface Layout {
  /** The width of the terminal, in characters. */
  readonly columns: number
  readonly style: Style
}

/** The width of the widest verdict with its margins. */
const verdictWidth = 9

/** The labels of the findings. */
const names: Readonly<Record<string, string>> = {
  url: 'URL',
  address: 'Address',
  tls: 'Certificate',
  reachable: 'Connection',
  clock: 'Clock',
  transport: 'Transport',
  extensions: 'Extensions',
  challenge: 'Credential',
  metadata: 'Metadata',
  issuers: 'Servers',
  dpop: 'DPoP',
  'server-metadata': 'Metadata',
  safeguards: 'Safeguards',
  grants: 'Grants',
  'client-authentication': 'Client auth',
  pkce: 'PKCE',
  registration: 'Registration',
  iss: 'Issuer',
  'pushed-requests': 'PAR',
  revocation: 'Revocation',
  'token-endpoint': 'Tokens',
  endpoints: 'Endpoints',
  config: 'Config',
  stored: 'Stored',
}

/** Formats the report as lines of text. */
export function render(report: Report, layout: Layout): readonly string[] {
  const { findings, recommendation } = report
  const { style } = layout
  const isLocal = ({ id }: Finding) => id === 'config' || id === 'stored'
  const server = findings.filter((each) => each.issuer === undefined && !isLocal(each))
  const issuers = [...new Set(findings.flatMap(({ issuer }) => issuer ?? []))]
  return [
    ...section(style.bold(report.url), server, layout),
    ...issuers.flatMap((issuer) => [
      '',
      ...section(
        style.bold(`Authorization server ${issuer}`),
        findings.filter((finding) => finding.issuer === issuer),
        layout,
      ),
    ]),
    '',
    ...section(style.bold('This machine'), findings.filter(isLocal), layout),
    '',
    ...summary(report, layout),
    ...(recommendation === undefined ? [] : ['', ...advice(recommendation, layout)]),
  ]
}

function section(title: string, findings: readonly Finding[], layout: Layout): readonly string[] {
  return [title, ...findings.flatMap((finding) => lineOf(finding, layout))]
}

function lineOf({ id, verdict, text, remedy }: Finding, layout: Layout): readonly string[] {
  const { columns, style } = layout
  const width = Math.max(20, columns - verdictWidth)
  const name = Object.hasOwn(names, id) ? names[id] : id
  const [first = '', ...rest] = wrapped(`${name}: ${text}`, width)
  const start = `${style.bold(`${name}:`)}${first.slice(`${name}:`.length)}`
  const indent = ' '.repeat(verdictWidth)
  const advice = remedy === undefined ? [] : wrapped(remedy, width - 2)
  return [
    `${marked(verdict, style)}${start}`,
    ...rest.map((line) => `${indent}${line}`),
    ...advice.map((line, index) => `${indent}${style.cyan(index === 0 ? '→' : ' ')} ${line}`),
  ]
}

function marked(verdict: Verdict, style: Style): string {
  const word = verdict.padEnd(verdictWidth - 2)
  const colour = { ok: style.green, note: style.yellow, problem: style.red }[verdict]
  return `${colour(word)}  `
}

function summary({ findings, outcome }: Report, { style }: Layout): readonly string[] {
  if (outcome === 'unreachable') return [style.red('The server cannot be reached.')]
  const problems = findings.filter(({ verdict }) => verdict === 'problem').length
  const notes = findings.filter(({ verdict }) => verdict === 'note').length
  const count = (number: number, word: string) => `${number} ${word}${number === 1 ? '' : 's'}`
  if (problems > 0) {
    const more = notes === 0 ? '' : ` and ${count(notes, 'note')}`
    return [style.red(`${count(problems, 'problem')}${more}.`)]
  }
  return [style.green(notes === 0 ? 'No problem.' : `No problem, ${count(notes, 'note')}.`)]
}

function advice(recommendation: Recommendation, layout: Layout): readonly string[] {
  const { provider, reason, command, code, mcpJson, isShortened } = recommendation
  const { columns, style } = layout
  const isNone = provider === 'none'
  const isLogin = command?.includes(' login ') === true
  const title = isNone ? 'No provider is required' : `Recommended: ${provider}()`
  const text = (sentence: string) => wrapped(sentence, columns)
  const block = (source: string) =>
    source.split('\n').map((line) => (line === '' ? '' : `  ${line}`))
  const shorter = 'Parts of the URL that may be secret are left out here; insert them again.'
  return [
    style.bold(title),
    ...text(reason),
    ...(isShortened ? text(shorter) : []),
    ...(command === undefined
      ? []
      : [
          '',
          ...text(`${isLogin ? 'Log in' : 'Store it'} once, for auto() and the other commands:`),
          ...block(style.cyan(command)),
        ]),
    '',
    'With the SDK, version 2:',
    ...block(code.sdkV2),
    '',
    'With version 1, replace the first line with:',
    ...block(code.sdkV1.split('\n').slice(0, 2).join('\n')),
    ...(code.fetch === undefined ? [] : ['', 'With fetch alone:', ...block(code.fetch)]),
    '',
    'In mcp.json:',
    ...block(JSON.stringify(mcpJson, null, 2)),
  ]
}

/** Wraps a text at spaces. Longer words are not split, so that they can be copied. */
export function wrapped(text: string, width: number): readonly string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    const longer = line === '' ? word : `${line} ${word}`
    if (line === '' || longer.length <= width) line = longer
    else {
      lines.push(line)
      line = word
    }
  }
  return [...lines, line]
}
