import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testMcpServer } from '../../src/testing/index.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

/** A server without metadata that answers everything else in one way. */
async function answering(status: number, type: string, body: string, get = status) {
  const { origin } = await recordingOrigin(({ method, url }, response) => {
    if (url.includes('/.well-known/')) return response.writeHead(404).end()
    const isGet = method === 'GET' && get !== status
    const headers = { 'content-type': isGet ? 'text/event-stream' : type }
    response.writeHead(isGet ? get : status, headers)
    return isGet ? response.write('event: endpoint\ndata: /messages\n\n') : response.end(body)
  })
  return `${origin}/mcp`
}

describe('the next step', () => {
  test('after a refused key begins with the URL as it is', async () => {
    const { url, close } = await testMcpServer({ apiKey: 'right' })
    await world.run(['set', url.href, '--bearer'], { input: 'canary\n' })
    const { stderr } = await world.run(['status', url.href])
    expect(stderr).toContain(`error ${url.href} refuses the bearer token stored for `)
    await close()
  })

  test.each(['status', 'login'])(
    'of %s at a gateway without its server is to wait',
    async (command) => {
      const { code, stderr } = await world.run([command, await answering(502, 'text/html', '')])
      expect(code).toBe(5)
      expect(stderr).toContain(
        'A gateway responds, but the server behind it does not (status 502).',
      )
      expect(stderr).toContain("Try again later, or contact the server's operator.")
      expect(stderr).not.toContain('authorization server')
    },
  )

  test('of login at a server of the older transport that asks for nothing is none', async () => {
    const url = await answering(405, 'text/plain', '', 200)
    const { code, stdout } = await world.run(['login', url])
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${url} requires no login.\n` })
  })

  test.each(['status', 'login'])(
    'of %s at a server of other versions names them',
    async (command) => {
      const error = { code: -32022, message: 'No', data: { supported: ['2026-07-28'] } }
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, error })
      const url = await answering(400, 'application/json', body)
      const { code, stderr } = await world.run([command, url])
      expect(code).toBe(1)
      expect(stderr).toContain('supports only other protocol versions: 2026-07-28.')
      expect(stderr).toContain(`npx mcp-credentials doctor ${url}`)
    },
  )

  test.each([
    ['a wrong path', 404, 'text/plain'],
    ['a web page', 200, 'text/html'],
  ])('of status at %s is to look for the right one', async (_name, status, type) => {
    const url = await answering(status, type, '<html>')
    const { code, stderr } = await world.run(['status', url])
    expect(code).toBe(1)
    expect(stderr).toContain(
      `Run \`npx mcp-credentials doctor ${url}\` to search for the correct path.`,
    )
  })

  test('of logout without a server is to name one', async () => {
    const { code, stderr } = await world.run(['logout'])
    expect(code).toBe(2)
    expect(stderr).toContain(
      'logout requires a server. Pass one, or use --secret NAME or --all without a server.',
    )
  })
})
