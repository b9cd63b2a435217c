import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { testServers } from '../../src/testing/index.ts'
import { cliWorld } from './cli-world.ts'

const { openBrowser } = vi.hoisted(() => ({
  openBrowser: vi.fn<(url: string) => Promise<boolean>>(),
}))
vi.mock('../../src/oauth/opener.ts', () => ({ openBrowser }))

let world: Awaited<ReturnType<typeof cliWorld>>
let servers: Awaited<ReturnType<typeof testServers>>
beforeEach(async () => {
  world = await cliWorld()
  servers = await testServers()
  openBrowser.mockReset()
})
afterEach(async () => {
  await servers.close()
  await world.close()
})

/** A login on a machine with a display. */
const start = () =>
  world.start(['login', String(servers.resource)], {
    env: { DISPLAY: ':0', SSH_CONNECTION: '' },
  })
const printedUrl = /(http\S+\/authorize\?\S+)/

it('prints the address of a login also where a browser is opened, which may show nothing', async () => {
  openBrowser.mockResolvedValue(true)
  const running = start()
  const [address = ''] = await running.stderrMatch(printedUrl)
  await servers.authorizationServer.visit(new URL(address))
  const { code, stdout, stderr } = await running.finished
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(stdout).toContain('Logged in to')
  expect(openBrowser).toHaveBeenCalledTimes(1)
  // What is on a command line, others can read.
  expect(openBrowser.mock.calls[0]?.[0]).not.toContain('authorize')
})

it('takes the address after the login where no browser can be opened', async () => {
  openBrowser.mockResolvedValue(false)
  const running = start()
  const [address = ''] = await running.stderrMatch(printedUrl)
  await running.stderrMatch(/No browser could be opened/)
  await servers.authorizationServer.visit(new URL(address))
  expect((await running.finished).code).toBe(0)
})
