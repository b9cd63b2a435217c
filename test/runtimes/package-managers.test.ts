import { readFile } from 'node:fs/promises'
import { delimiter, dirname } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { executableOf, nodeOf, nodeVersions, onDemand } from './binary.ts'
import { openWorkshop, run, type Workshop } from './installed.ts'

interface Manager {
  readonly name: string
  /** Where its program is. */
  find(): Promise<string>
  readonly files?: Readonly<Record<string, string>>
  install(tarball: string): readonly string[]
  /** The oldest Node in which a CommonJS script may use the package. Default any. */
  readonly nodeOfScripts?: string
  /** What comes before the arguments of Node, and of the command. */
  readonly node: readonly string[]
  readonly command: readonly string[]
}

const npm: Manager = {
  name: 'npm',
  find: async () => 'npm',
  install: (tarball) => ['install', '--no-audit', '--no-fund', '--prefer-offline', tarball],
  node: ['exec', '--', 'node'],
  command: ['exec', '--', 'mcp-credentials'],
}
const managers: readonly Manager[] = [
  npm,
  {
    name: 'pnpm',
    find: () => executableOf('pnpm'),
    // pnpm ends with an error where a package has a script that it may not run.
    install: (tarball) => ['add', '--prefer-offline', '--allow-build=@github/keytar', tarball],
    node: ['exec', 'node'],
    command: ['exec', 'mcp-credentials'],
  },
  {
    name: "Yarn with Plug'n'Play",
    find: () => executableOf('@yarnpkg/cli-dist', 'yarn'),
    // An empty lock file says that the folder is a project of its own.
    files: {
      'yarn.lock': '',
      '.yarnrc.yml': 'enableTelemetry: false\nenableImmutableInstalls: false\n',
    },
    install: (tarball) => ['add', `mcp-credentials@file:${tarball}`],
    node: ['node'],
    command: ['exec', 'mcp-credentials'],
    // In Node 20, what it does to module resolution does not reach a `require()` of modules.
    nodeOfScripts: '22.23.3',
  },
]

let workshop: Workshop
let installed: Promise<string> | undefined
/** The project that npm has installed the package in, for more than one version of Node. */
const npmProject = () => {
  installed ??= projectOf(npm, 'npm')
  return installed
}

async function projectOf({ name, files, install }: Manager, program: string): Promise<string> {
  const folder = await workshop.project(name.replace(/\W+/g, '-'), files)
  await run({ program, args: install(workshop.tarball), folder })
  return folder
}
beforeAll(async () => {
  workshop = await openWorkshop()
})
afterAll(() => workshop[Symbol.asyncDispose]())

describe.each(managers)('the package, installed with $name', (manager) => {
  let program = ''
  let folder = ''
  let reason: string | undefined
  const start = (args: readonly string[], env = {}) => run({ program, args, folder, env })
  beforeAll(async () => {
    const found = await onDemand(manager.find)
    if ('reason' in found) reason = found.reason
    else program = found.value
    if (reason !== undefined) return
    folder = await (manager === npm ? npmProject() : projectOf(manager, program))
  })
  beforeEach((context) => context.skip(reason !== undefined, reason))

  it('sends a key, logs in and locks a record from an ECMAScript module', async () => {
    const output = await start([...manager.node, 'module.mjs'])
    expect(output.trim().split('\n').slice(-3)).toEqual(['key 200', 'login 200', 'lock'])
  })

  it('sends a key from a CommonJS script', async () => {
    const { nodeOfScripts: version } = manager
    const path = version === undefined ? [] : [dirname(await nodeOf(version))]
    const PATH = [...path, process.env['PATH']].join(delimiter)
    const output = await start([...manager.node, 'script.cjs'], { PATH })
    expect(output.trim().split('\n').slice(-2)).toEqual(['key 200', 'login function'])
  })

  it('brings the command', async () => {
    const manifest = new URL('../../package.json', import.meta.url)
    const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string }
    expect(await start([...manager.command, '--version'])).toContain(version)
  })
})

describe.each([...nodeVersions])('the package, installed with npm, in Node %s', (version) => {
  let program = ''
  let folder = ''
  let reason: string | undefined
  beforeAll(async () => {
    const found = await onDemand(() => nodeOf(version))
    if ('reason' in found) reason = found.reason
    else program = found.value
    folder = await npmProject()
  })
  beforeEach((context) => context.skip(reason !== undefined, reason))

  it.each(['module.mjs', 'script.cjs'])('runs %s', async (file) => {
    expect(await run({ program, args: [file], folder })).toMatch(/^key 200$/m)
  })
})
