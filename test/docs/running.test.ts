import assert from 'node:assert/strict'
import { describe, expect, it } from 'vitest'
import * as core from '../../src/index.ts'
import * as oauth from '../../src/oauth/index.ts'
import * as testing from '../../src/testing/index.ts'
import { runSnippet, snippetOf } from '../support/run-snippet.ts'

describe('the documentation of the test servers', () => {
  it.each([
    ['docs/guides/testing.md', 'await testServers('],
    ['src/testing/servers.ts', 'await testServers('],
  ])('in %s runs as it is written, and closes everything', async (path, mark) => {
    const started: Awaited<ReturnType<typeof testing.testServers>>[] = []
    const made: core.AuthorizedFetch[] = []
    await runSnippet(snippetOf(path, mark), {
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
