import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type TestMcpServer, testMcpServer } from '../../src/testing/index.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
let server: TestMcpServer
beforeEach(async () => {
  world = await cliWorld()
  server = await testMcpServer()
})
afterEach(async () => {
  await server.close()
  await world.close()
})

/** The URL of the server, and the name that a config file gives it. */
async function targets(): Promise<readonly string[]> {
  const servers = { notes: { url: server.url.href } }
  await writeFile(join(world.folder, '.mcp.json'), JSON.stringify({ mcpServers: servers }))
  await world.run(['trust', '--yes'])
  return [server.url.href, 'notes']
}

describe('a server that asks for no credential', () => {
  test('works by status, which says so', async () => {
    for (const target of await targets()) {
      const { code, stdout } = await world.run(['status', target])
      expect(code).toBe(0)
      expect(stdout).toMatch(/works: .*Streamable HTTP/)
      expect(stdout).toContain('Credential: none. The server requires no credential.')
    }
  })

  test('needs no headers', async () => {
    for (const target of await targets()) {
      const { code, stdout, stderr } = await world.run(['headers', target])
      expect({ code, stdout }).toEqual({ code: 0, stdout: '{}\n' })
      expect(stderr).toContain('requires no credential')
    }
  })

  test('has no token', async () => {
    for (const target of await targets()) {
      const { code, stdout, stderr } = await world.run(['token', target])
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toContain('requires no credential, so there is no token.')
      expect(stderr).toContain('Connect to it without a token.')
    }
  })

  test('needs no login', async () => {
    const { code, stdout } = await world.run(['login', server.url.href])
    expect({ code, stdout }).toEqual({
      code: 0,
      stdout: `${server.url} requires no login.\n`,
    })
  })

  test('gets plain code of doctor, and nothing to configure', async () => {
    const { code, stdout } = await world.run(['doctor', server.url.href])
    expect(code).toBe(0)
    expect(stdout).toContain('No provider is required')
    expect(stdout).toContain('new StreamableHTTPClientTransport(url)')
    expect(stdout).not.toMatch(/withCredentials|npx mcp-credentials|"auth"/)
  })
})

describe('a server that asks for a credential', () => {
  test.each(['headers', 'token'])('is told from one that does not by %s', async (command) => {
    const closed = await testMcpServer({ apiKey: 'canary' })
    const { code, stdout, stderr } = await world.run([command, closed.url.href])
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' })
    expect(stderr).toContain(`Nothing is stored for ${closed.url}`)
    await closed.close()
  })

  test.each(['headers', 'token'])('is assumed by %s where nothing answers', async (command) => {
    await server.close()
    const { code, stderr } = await world.run([command, server.url.href])
    expect(code).toBe(3)
    expect(stderr).toContain(`Nothing is stored for ${server.url}`)
  })
})
