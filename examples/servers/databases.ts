import { join } from 'node:path'
import {
  type PostgresServer,
  postgresServer,
  programs,
} from '../../test/support/postgres-server.ts'
import { type RedisServer, redisServer } from '../../test/support/redis-server.ts'
import { canRun, skip } from './skip.ts'

/** Starts a Redis of its own on a free port, as the tests do; ends the example where there is none. */
export async function startRedis(): Promise<RedisServer> {
  if (!canRun('redis-server')) {
    skip('this example needs redis-server. Install it: apt-get install redis-server')
  }
  const redis = await redisServer()
  endWithProcess(redis)
  await redis.start()
  return redis
}

/** Starts a PostgreSQL of its own on a free port, as the tests do; ends the example where there is none. */
export async function startPostgres(): Promise<PostgresServer> {
  if (!canRun(join(programs(), 'initdb'))) {
    skip('this example needs PostgreSQL. Install it: apt-get install postgresql')
  }
  const postgres = await postgresServer()
  endWithProcess(postgres)
  await postgres.start()
  return postgres
}

/** A database must not outlive the example, which may be stopped at any time. */
function endWithProcess(server: { kill(): Promise<void> }): void {
  process.once('exit', () => void server.kill())
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
}
