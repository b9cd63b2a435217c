import { expect, test, vi } from 'vitest'
import { redisStore } from '../../src/stores/redis.ts'

vi.mock('redis', () => {
  throw new Error('Cannot find package')
})

test('redisStore() without the package redis names the package to install', async () => {
  const store = redisStore({ url: 'redis://127.0.0.1:1', key: '0'.repeat(64) })
  await expect(store.get('key')).rejects.toMatchObject({
    name: 'ConfigurationError',
    code: 'configuration',
    message:
      'redisStore: the package redis is not installed. Run `npm install redis`, or pass a `client`.',
  })
})
