/**
 * A store in PostgreSQL, for web back ends and other fleets of processes.
 *
 * @example
 * ```ts
 * import { env } from 'mcp-credentials'
 * import { postgresStore } from 'mcp-credentials/postgres'
 * import { Pool } from 'pg'
 *
 * const pool = new Pool()
 * pool.on('error', (error) => console.error(error.message))
 * const store = postgresStore({ pool, key: env('MCP_STORE_KEY') })
 * ```
 *
 * @module mcp-credentials/postgres
 * @group API: Stores
 */
import { ConfigurationError } from '../errors.ts'
import { checkOptions, checkSeconds } from '../options.ts'
import { type EncryptedStore, encryptedRecords, type TextRecords } from './encrypted-records.ts'
import { checkEncryption, type EncryptionOptions, makeEnvelope } from './envelope.ts'
import { notAPool, type PostgresPool } from './postgres-client.ts'
import { PostgresConnection } from './postgres-connection.ts'
import { leaseLost, PostgresLock, recordId } from './postgres-lock.ts'
import {
  checkTable,
  createTable,
  defaultTable,
  type PostgresStatements,
  postgresStatements,
} from './postgres-schema.ts'
import { oversized } from './record.ts'

export type { EncryptedStore } from './encrypted-records.ts'
export { type EncryptionOptions, generateKey } from './envelope.ts'
export type { PostgresClient, PostgresPool, PostgresResult } from './postgres-client.ts'

/** Options of {@link postgresStore}. */
export type PostgresStoreOptions = EncryptionOptions & {
  /**
   * A `Pool` of the package `pg`, or one of its shape. Give it an `error` listener. This store uses one
   * connection of the pool for all its locks; two connections are enough for all callers.
   */
  readonly pool: PostgresPool
  /**
   * The table, as `table` or `schema.table`, of lower-case letters, digits and underscores. Default
   * `mcp_credentials`. Its name is authenticated with each record: use the same spelling in every process.
   */
  readonly table?: string
  /** Whether to create a missing table at the first use. Default `false`: call `migrate()`. */
  readonly createTable?: boolean
  /**
   * Seconds after which the lock of an unresponsive holder is released, because its host has failed or it is
   * suspended. Default 45; at most 600. The lock of a process that has ended is released immediately.
   */
  readonly lease?: number
  /** Seconds to wait for the lock of a record, at most. Default 15; at most 600. */
  readonly lockTimeout?: number
  /**
   * Seconds during which a statement is retried while PostgreSQL cannot be reached; also the time limit of
   * one statement. Default 5; at most 600.
   */
  readonly timeout?: number
}

/** A store of encrypted records in PostgreSQL. */
export interface PostgresStore extends EncryptedStore {
  /**
   * Creates the table where it is missing, in an existing schema. It can be repeated, and any number of
   * processes may do so at the same time.
   *
   * @throws `StoreError` when PostgreSQL cannot be reached, the schema does not exist, or the role may not create tables.
   */
  migrate(): Promise<void>
}

const name = 'postgresStore'
const knownOptions: readonly string[] = [
  'pool',
  'table',
  'createTable',
  'lease',
  'lockTimeout',
  'timeout',
  'key',
  'keys',
]

/**
 * Stores encrypted records in a table of PostgreSQL (12 or later), for processes on many hosts that share
 * logins. Locks are advisory locks, which end with their holder, and a fence in the record's row: writes of a
 * holder that has lost its lock are refused. It works behind PgBouncer, also in transaction mode.
 *
 * `synchronous_commit` must not be `off`, or a crash of the server can lose the last record. TLS is set up in the
 * pool (`ssl`).
 *
 * @example
 * ```ts
 * import { authorizedFetch, env } from 'mcp-credentials'
 * import { savedLogin } from 'mcp-credentials/oauth'
 * import { postgresStore } from 'mcp-credentials/postgres'
 * import { Pool } from 'pg'
 *
 * const pool = new Pool({ connectionString: process.env['DATABASE_URL'] })
 * pool.on('error', (error) => console.error(error.message))
 * const store = postgresStore({ pool, key: env('MCP_STORE_KEY') })
 * await store.migrate()
 *
 * const fetch = authorizedFetch(savedLogin(), { resource: 'https://mcp.example.com/mcp', store })
 * ```
 *
 * @throws `ConfigurationError` when an option is invalid. Its methods throw `StoreError` when PostgreSQL cannot be
 * reached or refuses a statement, a lock was lost, or a record cannot be decrypted.
 */
export function postgresStore(options: PostgresStoreOptions): PostgresStore {
  checkPostgresOptions(options)
  const { pool, table = defaultTable, lease = 45, lockTimeout = 15, timeout = 5 } = options
  const sql = postgresStatements(table)
  const connection = new PostgresConnection(
    { pool, table, timeout, lease, createTable: options.createTable === true },
    sql,
    (session) => locks.lost(session),
  )
  const locks = new PostgresLock(connection, sql, lockTimeout)
  const texts = postgresTexts(connection, locks, sql)
  const records = encryptedRecords(texts, makeEnvelope(name, `postgres ${table}`, options))
  return { ...records, migrate: () => connection.migrate() }
}

/**
 * Returns the statement that creates the table, for use with a migration tool.
 *
 * @param options.table - As in {@link PostgresStoreOptions}. Default `mcp_credentials`.
 * @throws `ConfigurationError` when the name does not have that form.
 * @example
 * ```ts
 * import { postgresSchema } from 'mcp-credentials/postgres'
 *
 * console.log(postgresSchema({ table: 'mcp_credentials' }))
 * ```
 */
export function postgresSchema(options: { readonly table?: string } = {}): string {
  checkOptions('postgresSchema', options, ['table'])
  checkTable('postgresSchema.table', options.table)
  return `${createTable(options.table ?? defaultTable)};\n`
}

/** The texts of a table; the holder of a lock can write only while its fence is in the row. */
function postgresTexts(
  connection: PostgresConnection,
  locks: PostgresLock,
  sql: PostgresStatements,
): TextRecords {
  return {
    async get(key) {
      const { rows } = await connection.execute('get', sql.get, [recordId(key)])
      const row = (rows[0] ?? {}) as { envelope?: unknown; oversized?: unknown }
      const { envelope } = row
      if (row.oversized === true) throw oversized(key)
      return typeof envelope === 'string' ? envelope : undefined
    },
    async set(key, makeText) {
      const id = recordId(key)
      const lease = locks.leaseOf('set', key)
      const text = await makeText()
      if (lease === undefined) {
        return void (await connection.execute('set', sql.set, [id, key, text, keyIdOf(text)]))
      }
      const values = [id, lease.fence, text, keyIdOf(text)]
      const check = () => locks.checkLease('set', lease)
      const { rowCount } = await connection.execute('set', sql.setFenced, values, check)
      if (rowCount !== 1) throw leaseLost('set', key)
    },
    async delete(key) {
      const id = recordId(key)
      const lease = locks.leaseOf('delete', key)
      if (lease === undefined) {
        const { rowCount } = await connection.execute('delete', sql.delete, [id])
        await connection.execute('delete', sql.removeEmpty, [id])
        return rowCount === 1
      }
      const check = () => locks.checkLease('delete', lease)
      const values = [id, lease.fence]
      const { rows } = await connection.execute('delete', sql.deleteFenced, values, check)
      const [row] = rows as readonly { existed: boolean }[]
      if (row === undefined) throw leaseLost('delete', key)
      return row.existed
    },
    async list() {
      const { rows } = await connection.execute('list', sql.list)
      return (rows as readonly { key: string }[]).map(({ key }) => key).sort()
    },
    lock: (key, task, signal) => locks.run(key, task, signal),
  }
}

/** The ID of the key that encrypted a text, so that operators see what must still be re-encrypted. */
function keyIdOf(text: string): string | null {
  const { kid } = JSON.parse(text) as { kid?: unknown }
  return typeof kid === 'string' ? kid : null
}

function checkPostgresOptions(options: PostgresStoreOptions): void {
  const fail = (option: string, problem: string): never => {
    throw new ConfigurationError(`${name}.${option}`, `${name}.${option} ${problem}`)
  }
  checkOptions(name, options, knownOptions)
  checkEncryption(name, options)
  const { pool, table, createTable: creates, lease, lockTimeout, timeout } = options
  // Only a client has this method.
  const isClient = typeof (pool as { escapeLiteral?: unknown })?.escapeLiteral === 'function'
  if (typeof pool?.connect !== 'function' || isClient) throw notAPool()
  checkTable(`${name}.table`, table)
  if (creates !== undefined && typeof creates !== 'boolean')
    fail('createTable', 'must be true or false.')
  checkSeconds(name, { lease, lockTimeout, timeout })
}
