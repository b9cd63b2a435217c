import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const names = readdirSync(folder)
  .filter((name) => existsSync(`${folder}${name}/client.ts`))
  .sort()

const [wanted] = process.argv.slice(2)
const chosen = wanted === '--all' ? names : names.filter((name) => name === wanted)
if (chosen.length === 0) {
  console.error(`Usage: npm run example -- NAME, where NAME is one of ${names.join(', ')}`)
  process.exitCode = 2
}

let succeeded = 0
for (const name of chosen) {
  console.log(`\n${name}`)
  const { status } = spawnSync(
    process.execPath,
    ['--import', 'tsx', `${folder}${name}/client.ts`],
    { stdio: 'inherit', timeout: 60_000 },
  )
  if (status === 0) succeeded += 1
  else
    console.error(
      `${name} failed (${status === null ? 'it took too long' : `exit status ${status}`})`,
    )
}
if (chosen.length > 0) {
  console.log(`\n${succeeded} of ${chosen.length} examples succeeded`)
  if (succeeded < chosen.length) process.exitCode = 1
}
