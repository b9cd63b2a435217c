// The proxies between the stdio transport and remote servers side by side, live and in one run: each answers the same
// questions in front of the same server, whose refresh tokens are good for one use.
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLoginServer } from './login-server.ts'
import { proxyPeers } from './proxy-peers.ts'
import { proxyRows } from './proxy-rows.ts'

console.log(`Node ${process.versions.node}; ratios within one run count, not the numbers\n`)
console.log(`| | ${proxyPeers.map(({ name }) => name).join(' | ')} |`)
console.log(`|---|${proxyPeers.map(() => '---|').join('')}`)
for (const row of proxyRows) {
  const cells: string[] = []
  for (const peer of proxyPeers) {
    const server = await startLoginServer()
    const folder = await mkdtemp(join(tmpdir(), 'bench-proxies-'))
    await peer.store(server, folder)
    cells.push(await row.run(peer, server, folder).catch((error) => `fails: ${error.message}`))
    await server.close()
    await rm(folder, { recursive: true, force: true })
  }
  console.log(`| ${row.name} | ${cells.join(' | ')} |`)
}
process.exit()
