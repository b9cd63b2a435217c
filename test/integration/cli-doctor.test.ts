import { spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startAuthorizationServer } from '../../examples/servers/authorization-server.ts'
import { createCertificateAuthority } from '../../examples/servers/certificates.ts'
import { type ServerKind, startMcpServer } from '../../examples/servers/mcp-server.ts'
import { startOAuthServer } from '../../examples/servers/oauth-server.ts'
import type { Report } from '../../src/cli/doctor/report.ts'
import { testMcpServer } from '../../src/testing/index.ts'

const program = new URL('../../dist/cli/main.js', import.meta.url).pathname

interface Run {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

/** Runs the built command with folders of its own; with `terminal`, in a pseudo-terminal of 100 columns. */
async function run(
  argv: readonly string[],
  options: {
    readonly env?: Record<string, string>
    readonly terminal?: boolean
  } = {},
): Promise<Run & { readonly home: string }> {
  const home = mkdtempSync(join(tmpdir(), 'doctor-home-'))
  onTestFinished(() => rmSync(home, { recursive: true, force: true }))
  const own = {
    HOME: home,
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CONFIG_HOME: join(home, 'config'),
  }
  const { NO_COLOR: _, CI: __, ...inherited } = process.env
  const env = { ...inherited, ...own, MCP_CREDENTIALS_STORE: 'file', TERM: 'xterm', ...options.env }
  const command = [process.execPath, program, ...argv]
  const words = command.map((word) => `'${word}'`).join(' ')
  const [file = '', ...rest] =
    options.terminal === true ? ['script', '-qec', `stty cols 100; ${words}`, '/dev/null'] : command
  const child = spawn(file, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const texts = { out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    texts.out += String(chunk)
  })
  child.stderr.on('data', (chunk) => {
    texts.err += String(chunk)
  })
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
  return { ...texts, code, home }
}

const lines = ({ findings }: Report, id: string) =>
  findings.filter((each) => each.id === id).map(({ verdict, text }) => `${verdict}: ${text}`)

describe('the command doctor', () => {
  test.each([false, true])(
    'examines an OAuth server of another author (bound tokens: %s), and changes nothing',
    async (dpop) => {
      const as = await startAuthorizationServer()
      onTestFinished(() => as.close())
      const server = await startOAuthServer({ issuer: as.issuer, dpop })
      onTestFinished(() => server.close())

      const { code, out, err, home } = await run(['doctor', String(server.url), '--json'])

      const seen = JSON.parse(out) as Report
      expect(err).toBe('')
      expect({ code, outcome: seen.outcome }).toEqual({ code: 0, outcome: 'ok' })
      expect(lines(seen, 'challenge')[0]).toContain(`these challenges: ${dpop ? 'dpop' : 'bearer'}`)
      expect(lines(seen, 'pkce')).toEqual(['ok: It supports PKCE with S256.'])
      expect(lines(seen, 'safeguards')[0]).toMatch(/^ok: /)
      expect(seen.recommendation?.provider).toBe('authorizationCode')
      expect(seen.recommendation?.code.sdkV2.includes('dpop: true')).toBe(dpop)
      expect(seen.recommendation?.command?.endsWith(' --dpop')).toBe(dpop)
      expect(as.tokenRequests).toEqual([])
      expect(as.paths.filter((path) => !path.includes('/.well-known/'))).toEqual([])
      const files = readdirSync(home, { recursive: true, withFileTypes: true })
      // From Node 22 on, the command keeps its compiled code.
      const compiled = join(home, '.cache', 'mcp-credentials', 'compiled')
      const written = files.filter((each) => each.isFile() && !each.parentPath.startsWith(compiled))
      expect(written).toEqual([])
    },
  )

  test.each<readonly [ServerKind, string]>([
    ['stateful', 'ok: The server supports Streamable HTTP, protocol 2025-11-25.'],
    ['stateless', 'ok: The server supports Streamable HTTP, protocol 2025-11-25.'],
    ['sse', 'note: The server supports HTTP+SSE, the transport of MCP 2024-11-05'],
  ])('sees how a server of the official SDK speaks: %s', async (kind, transport) => {
    const authenticate = () => ({ identity: { subject: 'anybody' } })
    const server = await startMcpServer({ authenticate, kind })
    onTestFinished(() => server.close())

    const { out, code } = await run(['doctor', String(server.url), '--json'])

    expect(code).toBe(0)
    const seen = JSON.parse(out) as Report
    expect(lines(seen, 'transport')[0]).toContain(transport)
    expect(lines(seen, 'challenge')).toEqual(['ok: The server requires no credential.'])
    const ended = server.requests.filter(
      ({ method, status }) => method === 'DELETE' && status < 300,
    )
    expect(ended).toHaveLength(kind === 'stateful' ? 1 : 0)
  })

  test('explains a certificate that this machine does not trust, until the authority is named', async () => {
    const authority = createCertificateAuthority()
    onTestFinished(authority.remove)
    const { cert, key } = authority.issue('notes', { server: true })
    const server = createServer(
      { cert: readFileSync(cert), key: readFileSync(key) },
      (_request, response) => response.writeHead(401, { 'www-authenticate': 'Bearer' }).end(),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void server.close())
    const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`

    const without = await run(['doctor', url, '--json'])
    const with_ = await run(['doctor', url, '--json'], {
      env: { NODE_EXTRA_CA_CERTS: authority.ca },
    })

    const [refused] = lines(JSON.parse(without.out) as Report, 'tls')
    expect(without.code).toBe(1)
    expect(refused).toMatch(/^problem: The certificate .*, so no client connects\.$/)
    expect(without.out).toContain('NODE_EXTRA_CA_CERTS')
    const [accepted] = lines(JSON.parse(with_.out) as Report, 'tls')
    expect(with_.code).toBe(0)
    expect(accepted).toContain('issued by "Example CA"')
  })

  test('writes to a terminal with colours, in its width, and none where NO_COLOR is set', async () => {
    const server = await testMcpServer({ apiKey: 'secret' })
    onTestFinished(server.close)
    const argv = ['doctor', server.url.href]

    const coloured = await run(argv, { terminal: true })
    const plain = await run(argv, { terminal: true, env: { NO_COLOR: '1' } })

    expect(coloured.code).toBe(0)
    expect(coloured.out).toContain('\u001b[32mok')
    expect(plain.out).not.toContain('\u001b[3')
    const sentences = plain.out.split('\r\n').filter((line) => /^(?:ok|note|problem) /.test(line))
    expect(sentences.length).toBeGreaterThan(3)
    expect(Math.max(...sentences.map(({ length }) => length))).toBeLessThanOrEqual(100)
  })

  test('says that nobody is there, with exit code 5, and that an argument is wrong, with 2', async () => {
    const server = await testMcpServer()
    await server.close()

    const gone = await run(['doctor', server.url.href])
    const wrong = await run(['doctor', 'notes'])

    expect(gone.code).toBe(5)
    expect(gone.out).toContain('Nothing listens at that address and port.')
    expect(wrong.code).toBe(2)
    expect(wrong.err).toBe(
      'error There is no server notes: there is no config file. Pass its URL, such as https://mcp.example.com/mcp, or a config file with --config.\n',
    )
  })

  test('has help with examples and exit codes', async () => {
    const { out, code } = await run(['doctor', '--help'])

    expect(code).toBe(0)
    expect(out).toContain('mcp-credentials doctor https://mcp.example.com/mcp --json')
    expect(out.match(/Exit codes:/g)).toHaveLength(1)
    expect(out).toContain('npx mcp-credentials doctor https://mcp.example.com/mcp\n')
  })
})
