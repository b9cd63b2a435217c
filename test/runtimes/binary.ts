import { execFileSync } from 'node:child_process'

/** The runtimes, each in one version, so that a test fails only for changes of ours. */
const versions = { bun: '1.4.5', deno: '2.9.6', workerd: '1.20261117.1' } as const

/** A runtime other than Node. */
export type Runtime = keyof typeof versions

/**
 * Where the executable of a runtime is. npm fetches it into its cache when it is missing; as a dependency,
 * the three would add 350 MB to every installation.
 */
export function executableOf(runtime: Runtime): string {
  const bundle = `--package=${runtime}@${versions[runtime]}`
  // An installed binary is replaced by its package's script, hence the question to npm's own path.
  const find = ['exec', '--yes', bundle, '--', 'which', runtime]
  return execFileSync('npm', find, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim()
}
