import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startLoginServer } from './login-server.ts'
import { proxyPeers } from './proxy-peers.ts'
import { proxyRows } from './proxy-rows.ts'
import type { Row, Table } from './report.ts'

/**
 * The proxies between the stdio transport and remote servers side by side: each answers the same questions in front of
 * the same server, whose refresh tokens are good for one use.
 */
export async function benchProxies(): Promise<Table[]> {
  const rows: Row[] = []
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
    rows.push([row.name, ...cells])
  }
  const columns = proxyPeers.map(({ name }) => name)
  return [{ id: 'proxies', title: 'The proxies side by side', columns, rows }]
}
