import { fork } from 'node:child_process'

/**
 * Runs a script in several processes at the same time, and prints what each of them printed.
 *
 * @param env - Is added to the environment of each process.
 * @returns The exit status of each process.
 */
export function runProcesses(
  script: URL,
  count: number,
  env: Readonly<Record<string, string>>,
): Promise<(number | null)[]> {
  const running = Array.from({ length: count }, async (_value, index) => {
    const child = fork(script, {
      env: { ...process.env, ...env, PROCESS_NAME: `process ${index + 1}` },
      execArgv: ['--import', 'tsx'],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk) => {
        output += chunk
      })
    }
    const status = await new Promise<number | null>((resolve) => child.once('close', resolve))
    return { status, output }
  })
  return Promise.all(running).then((ended) => {
    for (const { output } of ended) process.stdout.write(output)
    return ended.map(({ status }) => status)
  })
}
