import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { executableOf } from '../../test/runtimes/binary.ts'
import { listeningPort } from '../../test/runtimes/listening-port.ts'
import { skip } from './skip.ts'
import { temporaryFolder } from './temporary.ts'

/** A Worker that is running in workerd. */
export interface RunningWorker {
  readonly url: URL
  close(): void
}

/**
 * Bundles a Worker and starts it in workerd, the runtime of Cloudflare Workers; ends the example where npm cannot fetch
 * it.
 *
 * @param bindings - What the Worker finds in its environment.
 */
export async function startWorker(
  script: URL,
  bindings: Readonly<Record<string, string>>,
): Promise<RunningWorker> {
  const executable = await findWorkerd()
  const folder = temporaryFolder()
  await build({
    entryPoints: [fileURLToPath(script)],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker'],
    external: ['node:*'],
    outfile: join(folder, 'worker.js'),
  })
  writeFileSync(join(folder, 'config.capnp'), configuration(bindings))
  const child = spawn(executable, ['serve', 'config.capnp', '--control-fd=3'], {
    cwd: folder,
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  process.once('exit', () => child.kill('SIGKILL'))
  const port = await listeningPort(child, () => '')
  return { url: new URL(`http://127.0.0.1:${port}`), close: () => void child.kill() }
}

async function findWorkerd(): Promise<string> {
  try {
    return await executableOf('workerd')
  } catch {
    return skip('this example needs workerd, which npm could not fetch. Try again with a network')
  }
}

function configuration(bindings: Readonly<Record<string, string>>): string {
  const texts = Object.entries(bindings).map(
    ([name, text]) => `(name = ${JSON.stringify(name)}, text = ${JSON.stringify(text)})`,
  )
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "net", network = (allow = ["private"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  bindings = [${texts.join(', ')}],
  compatibilityDate = "2026-11-17",
  globalOutbound = "net"
);
`
}
