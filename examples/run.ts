import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(folder)
  .filter((name) => existsSync(`${folder}${name}/client.ts`))
  .sort()

/** Runs one example in a process of its own, and resolves to what went wrong; `undefined`: nothing. */
function run(name: string, output: 'inherit' | 'pipe'): Promise<string | undefined> {
  const child = spawn(process.execPath, ['--import', 'tsx', `${folder}${name}/client.ts`], {
    stdio: ['ignore', output, output],
    timeout: 60_000,
  })
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => chunks.push(chunk))
  }
  return new Promise((resolve) => {
    child.once('close', (status) => {
      if (output === 'pipe') console.log(`\n${name}\n${Buffer.concat(chunks).toString().trimEnd()}`)
      if (status === 0) resolve(undefined)
      else resolve(status === null ? 'it took too long' : `exit status ${status}`)
    })
  })
}

const [wanted] = process.argv.slice(2)
const isAll = wanted === '--all'
const chosen = isAll ? [...names] : names.filter((name) => name === wanted)
if (chosen.length === 0) {
  console.error(`Usage: npm run example -- NAME, where NAME is one of ${names.join(', ')}`)
  process.exitCode = 2
}

const total = chosen.length
const failures: string[] = []
async function work(): Promise<void> {
  for (let name = chosen.shift(); name !== undefined; name = chosen.shift()) {
    const problem = await run(name, isAll ? 'pipe' : 'inherit')
    if (problem !== undefined) failures.push(`${name} failed (${problem})`)
  }
}
// Three at a time: an example mostly waits.
await Promise.all(Array.from({ length: isAll ? 3 : 1 }, work))
if (total > 0) {
  for (const failure of failures) console.error(failure)
  console.log(`\n${total - failures.length} of ${total} examples succeeded`)
  if (failures.length > 0) process.exitCode = 1
}
