// Opens the store of a process of the fleet, as its parent says.
const makers = {
  file: async (options) => (await import('mcp-credentials/file')).encryptedFileStore(options),
  keychain: async (options) => (await import('mcp-credentials/keychain')).keychainStore(options),
  redis: async (options) => (await import('mcp-credentials/redis')).redisStore(options),
  postgres: async ({ url, max, ...options }) => {
    const { default: pg } = await import('pg')
    const pool = new pg.Pool({ connectionString: url, max, allowExitOnIdle: true })
    // Idle connections end when the server does.
    pool.on('error', () => {})
    return (await import('mcp-credentials/postgres')).postgresStore({ ...options, pool })
  },
}

export const openStore = (kind, options) => makers[kind](options)
