/**
 * The table of records in PostgreSQL, and the statements that use it.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { maxRecordBytes } from './record.ts'

/** The statements of one table. `$1` is always the identifier of a record. */
export interface PostgresStatements {
  readonly create: string
  readonly find: string
  readonly get: string
  readonly list: string
  readonly set: string
  readonly setFenced: string
  readonly delete: string
  readonly deleteFenced: string
  readonly removeEmpty: string
  readonly tryLock: string
  readonly unlock: string
  readonly fence: string
  readonly holder: string
  readonly resumable: string
  readonly resume: string
  readonly release: string
}

/** The default name of the table. */
export const defaultTable = 'mcp_credentials'

const identifier = '[a-z_][a-z0-9_]{0,62}'
const tableName = new RegExp(`^${identifier}(?:\\.${identifier})?$`)

/**
 * Checks a table's name, which becomes part of statements.
 *
 * @throws {@link ConfigurationError} when it is anything but `table` or `schema.table` in lower case.
 */
export function checkTable(option: string, table: unknown): void {
  if (table === undefined || (typeof table === 'string' && tableName.test(table))) return
  throw new ConfigurationError(
    option,
    `${option} must be \`table\` or \`schema.table\`, of lower-case letters, digits and underscores.`,
  )
}

/** The statement that creates the table. A record's key is readable, but not its content. */
export function createTable(table: string): string {
  return `CREATE TABLE IF NOT EXISTS ${quoted(table)} (
  id bytea PRIMARY KEY,
  key text NOT NULL,
  envelope text,
  key_id text,
  fence uuid,
  server timestamptz,
  updated_at timestamptz NOT NULL DEFAULT now()
)`
}

/** Makes the statements of a table; its name must have been checked. */
export function postgresStatements(table: string): PostgresStatements {
  const name = quoted(table)
  // The server derives the number from the table itself, regardless of how its name is written.
  const lock = `hashtextextended(encode($1::bytea, 'hex'), '${name}'::regclass::oid::bigint)`
  const notDurable = "set_config('synchronous_commit', 'off', true)"
  const empty = 'envelope = NULL, key_id = NULL, updated_at = now()'
  return {
    create: createTable(table),
    find: `SELECT to_regclass('${name}') IS NOT NULL AS found`,
    get: `SELECT CASE WHEN octet_length(envelope) <= ${maxRecordBytes} THEN envelope END AS envelope,
        octet_length(envelope) > ${maxRecordBytes} AS oversized
      FROM ${name} WHERE id = $1`,
    list: `SELECT key FROM ${name} WHERE envelope IS NOT NULL`,
    set: `INSERT INTO ${name} (id, key, envelope, key_id) VALUES ($1, $2, $3, $4)
      ON CONFLICT (id) DO UPDATE
      SET envelope = EXCLUDED.envelope, key_id = EXCLUDED.key_id, updated_at = now()`,
    setFenced: `UPDATE ${name} SET envelope = $3, key_id = $4, updated_at = now()
      WHERE id = $1 AND fence = $2`,
    delete: `UPDATE ${name} SET ${empty} WHERE id = $1 AND envelope IS NOT NULL`,
    deleteFenced: `WITH mine AS (
        SELECT id, envelope IS NOT NULL AS existed FROM ${name} WHERE id = $1 AND fence = $2 FOR UPDATE
      ) UPDATE ${name} AS record SET ${empty} FROM mine WHERE record.id = mine.id RETURNING mine.existed`,
    // The row of a holder is kept: without it, its next write would be refused.
    removeEmpty: `DELETE FROM ${name} WHERE id = $1 AND envelope IS NULL AND fence IS NULL`,
    // This transaction need not be durable yet: the first write of a record makes it durable.
    tryLock: `SELECT pg_try_advisory_lock(${lock}) AS locked, ${notDurable}`,
    unlock: `SELECT pg_advisory_unlock(${lock}), ${notDurable}`,
    fence: `INSERT INTO ${name} AS record (id, key, fence, server)
      VALUES ($1, $2, $3, pg_postmaster_start_time())
      ON CONFLICT (id) DO UPDATE SET fence = EXCLUDED.fence, server = EXCLUDED.server
      WHERE record.fence IS NULL OR record.server = EXCLUDED.server OR record.fence = $4::uuid`,
    holder: `SELECT fence::text AS fence FROM ${name} WHERE id = $1`,
    resumable: `SELECT 1 FROM ${name}
      WHERE id = $1 AND fence = $2 AND server <> pg_postmaster_start_time()`,
    resume: `UPDATE ${name} SET server = pg_postmaster_start_time()
      WHERE id = $1 AND fence = $2 AND server <> pg_postmaster_start_time()`,
    release: `WITH removed AS (
        DELETE FROM ${name} WHERE id = $1 AND fence = $2 AND envelope IS NULL
      ) UPDATE ${name} SET fence = NULL, server = NULL
      WHERE id = $1 AND fence = $2 AND envelope IS NOT NULL`,
  }
}

function quoted(table: string): string {
  return table
    .split('.')
    .map((part) => `"${part}"`)
    .join('.')
}
