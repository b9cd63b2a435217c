import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as core from '../../src/index.ts'
import * as oauth from '../../src/oauth/index.ts'
import * as testing from '../../src/testing/index.ts'

const root = new URL('../../', import.meta.url)

/** The `ts` fence of a file that uses a function, without the stars of a comment. */
function snippetOf(path: string, mark: string): string {
  const text = readFileSync(new URL(path, root), 'utf8')
  const fences = [...text.matchAll(/^( \* |)```ts\n([\s\S]*?)^\1```/gm)].map((match) =>
    (match[2] ?? '').replace(/^ \* ?/gm, ''),
  )
  const found = fences.filter((code) => code.includes(mark))
  expect(found).toHaveLength(1)
  return found[0] ?? ''
}

const AsyncFunction = Object.getPrototypeOf(async () => {}).constructor as new (
  parameter: string,
  body: string,
) => (modules: Readonly<Record<string, object>>) => Promise<void>

/** Runs a module as it is written; its imports come from `modules`. */
async function run(code: string, modules: Readonly<Record<string, object>>): Promise<void> {
  const body = code.replace(
    /^import (\w+|\{[^}]*\}) from ('[^']+')$/gm,
    (_all, names: string, from: string) => `const ${names} = modules[${from}]`,
  )
  await new AsyncFunction('modules', body)(modules)
}

describe('the documentation of the test servers', () => {
  it.each([
    ['README.md', 'await testServers('],
    ['src/testing/servers.ts', 'await testServers('],
  ])('in %s runs as it is written, and closes everything', async (path, mark) => {
    const started: Awaited<ReturnType<typeof testing.testServers>>[] = []
    const made: core.AuthorizedFetch[] = []
    await run(snippetOf(path, mark), {
      'node:assert/strict': assert,
      'mcp-credentials': {
        ...core,
        authorizedFetch: (...args: Parameters<typeof core.authorizedFetch>) => {
          const fetch = core.authorizedFetch(...args)
          made.push(fetch)
          return fetch
        },
      },
      'mcp-credentials/oauth': oauth,
      'mcp-credentials/testing': {
        ...testing,
        testServers: async (options: object) => {
          const servers = await testing.testServers(options)
          started.push(servers)
          return servers
        },
      },
    })

    expect([started.length, made.length]).toEqual([1, 2])
    const { resource, authorizationServer } = started[0] as (typeof started)[number]
    for (const fetch of made) {
      await expect(fetch(resource)).rejects.toMatchObject({ code: 'closed' })
    }
    for (const address of [resource, authorizationServer.issuer]) {
      await expect(fetch(address)).rejects.toThrow('fetch failed')
    }
  })
})
