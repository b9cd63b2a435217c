import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { packageEntries, readSurfaces } from './api-surface.ts'

const entries = await packageEntries(fileURLToPath(new URL('../..', import.meta.url)))

const surfaces = readSurfaces(entries).map(({ name, values }) => [name, values] as const)

test.each(surfaces)('%s exports the values that it declares', async (name, values) => {
  const module = (await import(name)) as object
  expect(Object.keys(module).sort()).toEqual([...values].sort())
})
