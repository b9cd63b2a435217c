import { testMcpServer, testServers } from 'mcp-credentials/testing'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { onDemand } from './binary.ts'
import { type Bundle, bundlers } from './bundlers.ts'
import { bundled, programs, projectToBundle } from './bundles.ts'
import { openWorkshop, run, type Workshop } from './installed.ts'

let workshop: Workshop
let project = ''
beforeAll(async () => {
  workshop = await openWorkshop()
  project = await projectToBundle(workshop)
})
afterAll(() => workshop?.[Symbol.asyncDispose]())

const [withKey, withToken, withLogin] = programs

describe.each(bundlers)('a bundle for browsers that $name makes', ({ name, open }) => {
  let bundle: Bundle | undefined
  let reason: string | undefined
  beforeAll(async () => {
    const found = await onDemand(open)
    if ('reason' in found) reason = found.reason
    else bundle = found.value
  })
  beforeEach((context) => context.skip(reason !== undefined, reason))

  /** What the bundle of a program prints, and what it weighs. */
  async function outcomeOf(
    program: (typeof programs)[number] | undefined,
    args: readonly string[],
  ) {
    if (program === undefined || bundle === undefined)
      throw new Error('There is nothing to bundle.')
    const { main, atOnce } = await bundled(bundle, project, program, name)
    const folder = workshop.tarball.replace(/[^/]*$/, '')
    const printed = await run({ program: process.execPath, args: [main, ...args], folder })
    return { printed: printed.trim(), gzip: atOnce.gzip }
  }

  it('sends a key, and holds no more than the core', async () => {
    const mcp = await testMcpServer({ apiKey: 'k' })
    onTestFinished(() => mcp.close())
    const { printed, gzip } = await outcomeOf(withKey, [mcp.url.href])
    expect(printed).toBe('200')
    expect(gzip).toBeLessThan(35_000)
  })

  it('loads jose to mint a token', async () => {
    const accept = (headers: Headers) => /^Bearer ey/.test(headers.get('authorization') ?? '')
    const mcp = await testMcpServer({ accept })
    onTestFinished(() => mcp.close())
    expect((await outcomeOf(withToken, [mcp.url.href])).printed).toBe('200')
  })

  it('logs in with a client secret', async () => {
    const servers = await testServers()
    onTestFinished(() => servers.close())
    const args = [servers.resource.href, servers.authorizationServer.issuer]
    expect((await outcomeOf(withLogin, args)).printed).toBe('200')
  })
})
