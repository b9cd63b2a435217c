import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { benchColdStarts } from './cold-starts.ts'
import { versions } from './peers.ts'
import { benchRenewals } from './renewals.ts'
import { benchLoopback, benchStubbed } from './requests.ts'
import { environment } from './rounds.ts'
import { benchHandOut, benchHeap, benchHmac, benchJwt } from './signing.ts'
import { benchStores } from './stores.ts'

const sections: Readonly<Record<string, () => Promise<void>>> = {
  'hand-out': benchHandOut,
  renewals: benchRenewals,
  jwt: benchJwt,
  hmac: benchHmac,
  heap: benchHeap,
  stores: benchStores,
  stubbed: benchStubbed,
  loopback: benchLoopback,
  'cold-start': benchColdStarts,
}

/** Runs a section in a process of its own: what others left behind would slow it down. */
function runAlone(name: string): void {
  const args = [...process.execArgv, fileURLToPath(import.meta.url), '--section', name]
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' })
  if (status !== 0) process.exitCode = 1
}

const [first, ...rest] = process.argv.slice(2)
if (first === '--section') {
  await sections[rest[0] ?? '']?.()
} else {
  const names = first === undefined ? Object.keys(sections) : [first, ...rest]
  const unknown = names.filter((name) => !Object.hasOwn(sections, name))
  if (unknown.length > 0) {
    const all = Object.keys(sections).join(', ')
    throw new Error(`There is no section ${unknown.join(', ')}; the sections are ${all}.`)
  }
  console.log(`mcp-credentials benchmark: ${environment()}\n${versions()}`)
  for (const name of names) runAlone(name)
}
