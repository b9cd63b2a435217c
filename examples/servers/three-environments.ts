import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startApiKeyServer } from './api-key-server.ts'
import { startBearerServer } from './bearer-server.ts'
import { temporaryFolder } from './temporary.ts'
import { show } from './tools.ts'

/** Starts the servers of three environments, and puts the key of the last into a file, as a platform mounts it. */
export async function startEnvironments() {
  const development = await startApiKeyServer({
    keys: { 'demo-dev': 'development' },
    announce: show,
  })
  const staging = await startBearerServer({ tokens: { 'demo-stage': 'staging' }, announce: show })
  const production = await startApiKeyServer({
    keys: { 'demo-prod': 'production' },
    announce: show,
  })
  const mountedKey = join(temporaryFolder(), 'key')
  writeFileSync(mountedKey, 'demo-prod\n', { mode: 0o600 })
  return {
    urls: { development: development.url, staging: staging.url, production: production.url },
    mountedKey,
    close: () => Promise.all([development, staging, production].map((server) => server.close())),
  }
}
