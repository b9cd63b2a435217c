import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'

/** What the tests use on demand, each in one version, so that a test fails only for changes of ours. */
const versions = {
  '@rollup/plugin-commonjs': '29.0.3',
  '@rollup/plugin-node-resolve': '16.0.3',
  '@yarnpkg/cli-dist': '4.18.1',
  bun: '1.4.5',
  deno: '2.9.6',
  pnpm: '12.21.0',
  rollup: '4.68.7',
  vite: '8.3.8',
  webpack: '5.112.2',
  workerd: '1.20261117.1',
} as const

/** A package that the tests use on demand. */
export type Tool = keyof typeof versions

/** The versions of Node that the package is for: the oldest that can `require()` it, and the newest of each later line. */
export const nodeVersions = ['20.19.0', '22.23.3', '24.21.0', '26.10.0'] as const

/** What a package is called in tables: with its version. */
export const described = (name: Tool): string => `${name} ${versions[name]}`

const found = new Map<string, Promise<string>>()

/** Asks npm once for each program of a test file, as each question takes a second. */
function find(packages: readonly string[], program: string): Promise<string> {
  const question = [...packages, program].join(' ')
  const answer = found.get(question) ?? ask(packages, program)
  found.set(question, answer)
  return answer
}

/** npm fetches packages into its cache when they are missing; as dependencies, all of them would add 900 MB. */
async function ask(packages: readonly string[], program: string): Promise<string> {
  const wanted = packages.map((name) => `--package=${name}`)
  // An installed binary is replaced by its package's script, hence the question to npm's own path.
  const args = ['exec', '--yes', ...wanted, '--', 'which', program]
  const { stdout } = await promisify(execFile)('npm', args)
  return stdout.trim()
}

/** Where the executable of a package is. */
export const executableOf = (name: Tool, program: string = name): Promise<string> =>
  find([`${name}@${versions[name]}`], program)

/** Where the executable of a version of Node is. */
export const nodeOf = (version: string): Promise<string> => find([`node@${version}`], 'node')

/** The `node_modules` of packages that are installed together; the first has a program of its name. */
export async function modulesOf(first: Tool, ...others: readonly Tool[]): Promise<string> {
  const packages = [first, ...others].map((name) => `${name}@${versions[name]}`)
  return dirname(dirname(await find(packages, first)))
}

/**
 * Fetches what a test uses on demand. Where it cannot be fetched, the answer is the reason for which to skip the test;
 * on a build server that is an error.
 */
export async function onDemand<T>(
  task: () => Promise<T>,
): Promise<{ value: T } | { reason: string }> {
  try {
    return { value: await task() }
  } catch (error) {
    if (process.env['CI']) throw error
    const [line = ''] = String(error).split('\n')
    return { reason: `npm could not fetch it: ${line}` }
  }
}
