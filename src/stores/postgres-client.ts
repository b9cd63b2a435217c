/**
 * Connections of the application's pool, with a time limit and without server text in errors.
 *
 * @module
 */
import { ConfigurationError, StoreError, type StoreOperation, systemErrorCode } from '../errors.ts'
import { timeLimit } from '../waiting.ts'
import { setUpError } from './set-up-error.ts'

/** What a query returns: the part of a result of the package `pg` that is used. */
export interface PostgresResult {
  /** The rows, as objects. */
  readonly rows: readonly unknown[]
  /** How many rows were returned or changed. */
  readonly rowCount: number | null
}

/** The part of a pool's client that is used. */
export interface PostgresClient {
  /** Runs one statement, or several without values. */
  query(text: string, values?: unknown[]): Promise<PostgresResult>
  /** Returns the client to the pool; `true`: its connection is closed. */
  release(destroy?: boolean): void
  /** Adds a listener. */
  on(event: 'error' | 'end', listener: () => void): unknown
  /** Removes a listener. */
  removeListener(event: 'error' | 'end', listener: () => void): unknown
}

/** The part of a `Pool` of the package `pg` that is used. */
export interface PostgresPool {
  /** Returns a client for exclusive use, until it is released. */
  connect(): Promise<PostgresClient>
}

/** Runs a statement; rejects with the driver's error. */
export type Query = (text: string, values?: readonly unknown[]) => Promise<PostgresResult>

/** Thrown when neither a response nor a connection came in time. */
export class LateError extends Error {}

/**
 * Takes a client from a pool; one that arrives too late is returned to the pool.
 *
 * @throws {@link ConfigurationError} when it is not a pool.
 */
export async function takeClient(
  pool: PostgresPool,
  milliseconds: number,
): Promise<PostgresClient> {
  let isLate = false
  const connecting = pool.connect()
  connecting.then(
    (client) => {
      if (isLate) client?.release()
    },
    () => {},
  )
  const client = await limited(connecting, milliseconds, () => {
    isLate = true
  })
  // A client connects too, but returns nothing, or itself.
  if (typeof client?.release !== 'function') throw notAPool()
  return client
}

/** Makes the error for an option that is not a pool. */
export function notAPool(): ConfigurationError {
  return new ConfigurationError(
    'postgresStore.pool',
    'postgresStore.pool must be a Pool of the package pg, new Pool({ connectionString }), and not a Client: a store uses several connections.',
  )
}

/** Runs a statement with a time limit. */
export function runLimited(
  client: PostgresClient,
  milliseconds: number,
  text: string,
  values: readonly unknown[] | undefined,
): Promise<PostgresResult> {
  const running = values === undefined ? client.query(text) : client.query(text, [...values])
  return limited(running, milliseconds)
}

function limited<T>(
  work: Promise<T>,
  milliseconds: number,
  onLate: () => void = () => {},
): Promise<T> {
  return new Promise((resolve, reject) => {
    const stop = timeLimit(Math.max(1, milliseconds), () => {
      onLate()
      reject(new LateError())
    })
    work.then(
      (value) => {
        stop()
        resolve(value)
      },
      (error: unknown) => {
        stop()
        reject(error)
      },
    )
  })
}

/** The SQLSTATE of an error that the server has sent; `undefined`: the connection failed. */
export function sqlState(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { code?: unknown }
  // Codes of system errors, such as EPIPE, have no digits.
  return typeof code === 'string' && /^(?=.*\d)[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/**
 * Whether another attempt may succeed soon: the connection failed, the server is starting or stopping, has no
 * connection left, is a replica that may be promoted, or aborted one of several competing transactions.
 */
export function isTransient(error: unknown): boolean {
  const state = sqlState(error)
  return state === undefined || /^(?:08|40|53300|55P03|57014|57P0[123]|25006|25P03)/.test(state)
}

/**
 * Whether the set-up must be changed: a role or a password, a database, a schema, a table or a permission is
 * wrong or missing (PostgreSQL, appendix A).
 */
function isSetUp(state: string | undefined): boolean {
  return state !== undefined && /^(?:28|3D|3F|42)/.test(state)
}

/** Makes the error for callers. The server's message may quote a value, so only its code is kept. */
export function statementFailed(
  operation: StoreOperation,
  error: unknown,
  { table, seconds }: { readonly table: string; readonly seconds: number },
): StoreError {
  // No other process holds the lock, so waiting for it does not help.
  const what = operation === 'lock' ? 'open' : operation
  const state = sqlState(error)
  const failed = (message: string, remedy: string) =>
    new StoreError(what, message, {
      ...(isSetUp(state) ? setUpError : { retryable: true }),
      remedy,
    })
  if (state === '3F000') {
    const [schema = '', name] = table.split('.')
    return name === undefined
      ? failed(
          'The role has no schema for its tables.',
          'Set its `search_path`, or pass `table` with a schema.',
        )
      : failed(`The schema ${schema} does not exist.`, `Run CREATE SCHEMA ${schema} first.`)
  }
  if (state === '42P01') {
    return failed(
      `The table ${table} does not exist.`,
      'Call `await store.migrate()` when the application is deployed, or pass `createTable: true`.',
    )
  }
  if (state !== undefined) {
    return failed(`PostgreSQL refused the statement (SQLSTATE ${state}).`, remedyFor(state))
  }
  if (error instanceof LateError) {
    return failed(
      `PostgreSQL did not respond within ${seconds} s, or no connection of the pool was free.`,
      'Check the server, and whether the pool is large enough; stored records are untouched.',
    )
  }
  const code = systemErrorCode(error)
  return failed(
    `PostgreSQL cannot be reached${code === undefined ? '' : ` (${code})`}.`,
    'Stored records are untouched; a credential that is still valid remains in use.',
  )
}

function remedyFor(state: string): string {
  if (state === '42501')
    return 'Grant SELECT, INSERT, UPDATE and DELETE on the table to this role; migrate() also needs CREATE on its schema.'
  if (state === '42703') return 'The table was created by another program; choose another `table`.'
  if (state === '25006') return 'The server is a read-only replica; connect to the primary.'
  if (state.startsWith('53')) return 'Check the disk, the memory and the connections of the server.'
  if (state.startsWith('28')) return "Check the role and the password of the pool's connections."
  return 'Stored records are untouched. The log of the server has details.'
}
