import { expect, test } from 'vitest'
import { listSaved, listSecrets, saveSecret } from '../../src/auto/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'

test('a secret is listed by its name, and not among the credentials', async () => {
  const store = memoryStore()
  expect(await saveSecret(store, { name: 'b', value: 'canary' })).toEqual({
    replaced: false,
    kept: false,
  })
  expect(await saveSecret(store, { name: 'a.KEY', value: 'canary' })).toEqual({
    replaced: false,
    kept: false,
  })
  expect(await saveSecret(store, { name: 'b', value: 'canary-2' })).toEqual({
    replaced: true,
    kept: false,
  })
  const secrets = await listSecrets(store)
  expect(secrets).toMatchObject([{ name: 'a.KEY' }, { name: 'b' }])
  expect(JSON.stringify(secrets)).not.toContain('canary')
  expect(await listSaved(store)).toEqual([])
  for (const { key } of secrets) await store.delete(key)
  expect(await listSecrets(store)).toEqual([])
})

test.each(['', 'a b', '../a', 'a|b', '-a', 'x'.repeat(101)])(
  'refuses the name %j',
  async (name) => {
    const saving = saveSecret(memoryStore(), { name, value: 'canary' })
    await expect(saving).rejects.toMatchObject({ code: 'configuration', option: 'name' })
  },
)

test.each(['', 'a\0b', 5 as unknown as string])('refuses the value %j', async (value) => {
  const saving = saveSecret(memoryStore(), { name: 'a', value })
  await expect(saving).rejects.toMatchObject({ code: 'configuration', option: 'value' })
})
