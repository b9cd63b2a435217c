import { spawn } from 'node:child_process'

/** Runs a module in a process of its own, in the folder of the repository, and returns what it prints. */
export async function scriptOutput(env: NodeJS.ProcessEnv, script: string): Promise<string> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    env,
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  await new Promise((resolve) => child.once('close', resolve))
  return output
}
