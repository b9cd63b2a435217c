import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { executableOf } from './binary.ts'
import { listeningPort } from './listening-port.ts'
import type { WorkerAnswer, WorkerCall } from './worker.ts'
import { type Behaviour, startWorld } from './worker-world.ts'

/** A Worker in workerd, and the servers that it calls. */
export interface WorkerHost {
  /** The servers of one scenario. */
  behaviour(scenario: string): Behaviour
  /** Makes one request to the Worker. */
  call(call: WorkerCall): Promise<WorkerAnswer>
  /** What workerd wrote. */
  output(): string
  stop(): Promise<void>
}

/** Starts workerd with the Worker of `worker.ts`, under the rules of a compatibility date. */
export async function startWorkerHost(compatibilityDate: string): Promise<WorkerHost> {
  const world = await startWorld()
  const folder = await mkdtemp(join(tmpdir(), 'workerd-'))
  await writeFile(join(folder, 'worker.js'), await bundle(world.origin))
  await writeFile(join(folder, 'config.capnp'), configuration(compatibilityDate))
  const child = spawn(await executableOf('workerd'), ['serve', 'config.capnp', '--control-fd=3'], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output += chunk.toString()
    })
  }
  const port = await listeningPort(child, () => output)
  return {
    behaviour: world.behaviour,
    output: () => output,
    async call(call) {
      const init = {
        method: 'POST',
        body: JSON.stringify(call),
        signal: AbortSignal.timeout(20_000),
      }
      const response = await fetch(`http://127.0.0.1:${port}/`, init)
      const text = await response.text()
      if (!response.ok) return { error: `The Worker failed: ${response.status} ${text}` }
      return JSON.parse(text) as WorkerAnswer
    },
    async stop() {
      const isRunning = child.exitCode === null && child.signalCode === null
      if (isRunning && child.kill('SIGKILL')) await once(child, 'exit')
      await world.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** The Worker as one file, with the built package in it. */
async function bundle(origin: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker'],
    external: ['node:*'],
    define: { ORIGIN: JSON.stringify(origin) },
    write: false,
  })
  return outputFiles[0]?.text ?? ''
}

function configuration(compatibilityDate: string): string {
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .worker),
    (name = "net", network = (allow = ["private"]))
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = (name = "main", entrypoint = "worker"))]
);
const worker :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = "${compatibilityDate}",
  globalOutbound = "net"
);
`
}
