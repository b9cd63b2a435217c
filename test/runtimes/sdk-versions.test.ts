import { cp, mkdir, readFile, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import type { RunningServer } from '../../examples/servers/mcp-server.ts'
import { nodeOf, nodeVersions, onDemand } from './binary.ts'
import { openWorkshop, run, type Workshop } from './installed.ts'

const root = new URL('../../', import.meta.url)

interface Manifest {
  readonly version: string
  readonly peerDependencies: Readonly<Record<string, string>>
}

/** An SDK that a project may have: what it calls it, and where it is here. */
interface InstalledSdk {
  readonly name: '@modelcontextprotocol/sdk' | '@modelcontextprotocol/client'
  readonly folder: string
  /** What its client is imported from. */
  readonly client: string
}

const sdk1 = {
  name: '@modelcontextprotocol/sdk',
  client: '@modelcontextprotocol/sdk/client/index.js',
} as const
const sdk2 = {
  name: '@modelcontextprotocol/client',
  client: '@modelcontextprotocol/client',
} as const
const oldest: readonly InstalledSdk[] = [
  { ...sdk1, folder: 'sdk-oldest' },
  { ...sdk2, folder: 'client-oldest' },
]
const all: readonly InstalledSdk[] = [
  ...oldest,
  { ...sdk1, folder: sdk1.name },
  { ...sdk2, folder: sdk2.name },
]
const endsOfNode = [nodeVersions[0], nodeVersions.at(-1) ?? '']

const manifestOf = async (folder: URL): Promise<Manifest> =>
  JSON.parse(await readFile(new URL('package.json', folder), 'utf8'))
const modules = new URL('node_modules/', root)

it.each(oldest)(
  'the tests use the oldest $name that the package is for',
  async ({ name, folder }) => {
    const { peerDependencies } = await manifestOf(root)
    const { version } = await manifestOf(new URL(`${folder}/`, modules))

    expect(peerDependencies[name]).toBe(`>=${version}`)
  },
)

/** A server that refuses the first token after it has been used for a session and a call. */
async function forgetfulServer(kind: 'stateful' | 'sse'): Promise<RunningServer> {
  const calls = () => server.requests.filter(({ body }) => body.includes('tools/call')).length
  const server: RunningServer = await startBearerServer({
    kind,
    tokens: (token) => (token === 'token-1' && calls() > 1 ? undefined : { subject: token }),
  })
  onTestFinished(() => server.close())
  return server
}

describe('the package, installed beside an SDK', () => {
  let workshop: Workshop
  let installed = ''
  beforeAll(async () => {
    workshop = await openWorkshop()
    installed = await workshop.project('installed')
    const args = ['install', '--no-audit', '--no-fund', '--prefer-offline', workshop.tarball]
    await run({ program: 'npm', args, folder: installed })
  })
  afterAll(() => workshop?.[Symbol.asyncDispose]())

  describe.each(all)('of node_modules/$folder', ({ name, folder, client }) => {
    let project = ''
    beforeAll(async () => {
      project = await workshop.project(folder.replace(/\W+/g, '-'))
      await cp(join(installed, 'node_modules'), join(project, 'node_modules'), { recursive: true })
      await mkdir(join(project, 'node_modules/@modelcontextprotocol'), { recursive: true })
      await symlink(fileURLToPath(new URL(folder, modules)), join(project, 'node_modules', name))
    })

    describe.each(endsOfNode)('in Node %s', (version) => {
      let program = ''
      let reason: string | undefined
      beforeAll(async () => {
        const found = await onDemand(() => nodeOf(version))
        if ('reason' in found) reason = found.reason
        else program = found.value
      })
      beforeEach((context) => context.skip(reason !== undefined, reason))

      it.each([
        ['stateful', 'streamable-http'],
        ['sse', 'sse'],
      ] as const)('connects to a %s server, and outlives its first token', async (kind, spoken) => {
        const server = await forgetfulServer(kind)

        const args = ['connect.mjs', server.url.href, client]
        const printed = await run({ program, args, folder: project })

        expect(printed).toBe(`${spoken} token-1\n${spoken} token-2\n`)
      })
    })
  })
})
