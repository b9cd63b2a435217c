import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { runClient } from '../../examples/frameworks/run-client.ts'

it('renews the token and repeats a refused call within one session of the AI SDK', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'framework-'))
  onTestFinished(() => rm(folder, { recursive: true }))

  const run = await runClient('ai-sdk', { folder, tokenLifetime: 3, print: () => {} })

  expect(run.problem).toBeUndefined()
  expect(run).toMatchObject({ sessions: 1, refusals: ['POST tools/call 401'], tokenRequests: 3 })
}, 60_000)
