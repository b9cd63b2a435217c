import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testMcpServer } from '../../src/testing/index.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

/** What a command says, without the breaks of lines. */
async function said(...argv: readonly string[]) {
  const { code, stdout, stderr } = await world.run(argv)
  return { code, text: `${stdout}${stderr}`.replace(/\s+/g, ' ') }
}

describe('a server that cannot be reached', () => {
  test.each([
    ['login', 1],
    ['status', 1],
    ['doctor', 1],
    ['login', 6000],
    ['status', 6000],
    ['doctor', 6000],
  ])('is explained by %s where fetch refuses port %i', async (command, port) => {
    const { code, text } = await said(command, `http://127.0.0.1:${port}/mcp`)
    expect(code).toBe(5)
    expect(text).toContain('The port belongs to another protocol, and fetch blocks it.')
    expect(text).toContain('Correct the port in the URL, or configure another port for the server.')
  })

  test.each(['login', 'status', 'doctor'])(
    'is explained by %s where nothing listens',
    async (command) => {
      const { url, close } = await testMcpServer()
      await close()
      const { code, text } = await said(command, url.href)
      expect(code).toBe(5)
      expect(text).toContain('Nothing listens at that address and port.')
      expect(text).toContain('whether the server runs')
    },
  )
})
