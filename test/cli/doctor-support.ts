import { PassThrough } from 'node:stream'
import type { Certificate, Conversation, Observations } from '../../src/cli/doctor/observations.ts'
import type { Report } from '../../src/cli/doctor/report.ts'
import { type DoctorOptions, runDoctor } from '../../src/cli/doctor.ts'
import type { ExitCode } from '../../src/cli/exit-codes.ts'
import { makeTerminal } from '../../src/cli/terminal.ts'
import type { CredentialStore } from '../../src/index.ts'
import { memoryStore } from '../../src/testing/index.ts'

/** What a run of the command leaves behind. */
export interface Run {
  readonly code: ExitCode
  readonly out: string
  readonly err: string
}

/** Runs the command with streams that are no terminal, or with one of these columns. */
export async function doctor(
  url: string | URL,
  options: DoctorOptions & {
    readonly columns?: number
    readonly env?: Readonly<Record<string, string>>
    readonly store?: CredentialStore
    readonly verbose?: boolean
    readonly signal?: AbortSignal
  } = {},
): Promise<Run> {
  const { columns, env = {}, store = memoryStore(), verbose = false, signal, ...own } = options
  const streams = [new PassThrough(), new PassThrough()] as const
  const isTTY = columns !== undefined
  const [stdout, stderr] = streams.map((stream) =>
    Object.assign(stream, isTTY ? { isTTY, columns } : {}),
  ) as unknown as [PassThrough, PassThrough]
  const terminal = makeTerminal({ stdin: new PassThrough(), stdout, stderr, env, cwd: '/' })
  const invocation = {
    terminal,
    signal: signal ?? new AbortController().signal,
    global: { verbose },
  }
  const code = await runDoctor(invocation, own, String(url), store)
  // From Node 26 on, `read()` returns one chunk, and not everything that was written.
  const textOf = (stream: PassThrough) => {
    let text = ''
    for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) text += chunk
    return text
  }
  return { code, out: textOf(stdout), err: textOf(stderr) }
}

/** Runs the command with `--json`. */
export async function report(
  url: string | URL,
  options: Parameters<typeof doctor>[1] = {},
): Promise<Report & { readonly code: ExitCode }> {
  const { out, code } = await doctor(url, { ...options, json: true })
  return { ...(JSON.parse(out) as Report), code }
}

/** The verdicts of the lines with a name, as `verdict: text`. */
export function linesOf({ findings }: Pick<Report, 'findings'>, id: string): readonly string[] {
  return findings.filter((each) => each.id === id).map(({ verdict, text }) => `${verdict}: ${text}`)
}

const at = Date.UTC(2026, 10, 22)

/** The sight of a public server that has answered; `changes` replace members. */
export function sight(changes: Partial<Observations> = {}): Observations {
  return {
    url: new URL('https://mcp.example.com/mcp'),
    hadUserInfo: false,
    at,
    address: {
      hostname: 'mcp.example.com',
      addresses: [{ address: '93.184.215.14', range: 'unicast' }],
    },
    certificate: certificate(),
    conversation: conversation({ status: 401 }),
    authorization: { named: [], issuers: [] },
    clocks: new Map([['https://mcp.example.com', 200]]),
    saved: [],
    checksNoCertificates: false,
    ignoresProxy: false,
    allowsPrivateNetwork: false,
    ...changes,
  }
}

/** A certificate that is valid for 90 days. */
export function certificate(changes: Partial<Certificate> = {}): Certificate {
  const day = 86_400_000
  const dates = { validFrom: at - day, validTo: at + 90 * day }
  return {
    subject: 'mcp.example.com',
    issuer: 'An authority',
    protocol: 'TLSv1.3',
    ...dates,
    ...changes,
  }
}

/** A conversation of one answer to `initialize`. */
export function conversation(
  answer: {
    readonly status: number
    readonly headers?: Record<string, string>
    readonly body?: string
  },
  more: Partial<Conversation> = {},
): Conversation {
  const { status, headers, body = '' } = answer
  return {
    post: { kind: 'response', status, headers: new Headers(headers), body },
    elsewhere: [],
    ...more,
  }
}

/** The answer of a server to `initialize`. */
export const welcome = {
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    result: {
      protocolVersion: '2025-11-25',
      capabilities: { extensions: { 'io.modelcontextprotocol/ui': {} } },
      serverInfo: { name: 'notes', version: '1.2.3' },
    },
  }),
}
