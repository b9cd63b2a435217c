// Where clients look for a login: the server's present tokens are put there.
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { CredentialStore } from 'mcp-credentials'
import type { LoginServer } from './login-server.ts'

/** In a store of ours. */
export async function storeLogin(store: CredentialStore, server: LoginServer): Promise<void> {
  const { access_token: accessToken, refresh_token: refreshToken } = server.tokens()
  await store.set(`${server.url.href} | default`, {
    version: 1,
    provider: 'authorizationCode',
    generation: 1,
    issuer: server.origin,
    obtainedAt: Date.now(),
    expiresAt: Date.now() + 3_600_000,
    data: { accessToken, refreshToken, tokenType: 'bearer', clientId: 'bench' },
  })
}

/** In the folder of `mcp-remote`. */
export async function storeForMcpRemote(folder: string, server: LoginServer): Promise<void> {
  const home = join(folder, 'mcp-remote-v1')
  await mkdir(home)
  const hash = createHash('md5').update(server.url.href).digest('hex')
  const write = (name: string, value: object) =>
    writeFile(join(home, `${hash}_${name}.json`), JSON.stringify(value))
  const issuer = server.origin
  await write('tokens', { ...server.tokens(), issuer, expires_in: 3600 })
  const redirects = ['http://localhost:3334/oauth/callback']
  await write('client_info', { client_id: 'bench', redirect_uris: redirects, issuer })
}
