import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import { recordingOrigin } from '../support/recording-origin.ts'

async function refusing(status: number) {
  const server = await recordingOrigin((_request, response) =>
    response.writeHead(status, { 'Retry-After': '1' }).end(),
  )
  return lineClient(`${server.origin}/mcp`)
}

type Answer = { error: { message: string; data: Record<string, unknown> } }

describe('a server that fails', () => {
  it.each([
    ['tools/call', 500],
    ['tools/call', 503],
    ['tools/call', 408],
    ['tools/call', 429],
    ['tasks/update', 502],
    ['x/do', 504],
  ])('invites nobody to repeat %s after status %i', async (method, status) => {
    const client = await refusing(status)

    client.send({ jsonrpc: '2.0', id: 1, method })
    const { error } = (await client.next()) as Answer

    expect(error.message).toContain('it is not known whether the request was processed')
    expect(error.message).toContain('Check its effect before you repeat it.')
    expect(error.message).not.toMatch(/try again/i)
    expect(error.data).toMatchObject({ code: 'server_error', status, retryable: false })
    expect(error.data).not.toHaveProperty('retryAfter')
  })

  it('can be asked again for what changes nothing', async () => {
    const client = await refusing(500)

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/list' })
    const { error } = (await client.next()) as Answer

    expect(error.message).toContain('Try again later.')
    expect(error.data).toMatchObject({ retryable: true, retryAfter: 1 })
  })

  it('is not said to be out of reach when a call of a tool may have reached it', async () => {
    const fetch = () => Promise.reject(new DOMException('too slow', 'TimeoutError'))
    const client = lineClient('https://mcp.example.com/mcp', { fetch })

    client.send({ jsonrpc: '2.0', id: 1, method: 'tools/call' })

    expect(await client.next()).toMatchObject({
      error: { data: { code: 'outcome_unknown', retryable: false } },
    })
  })
})
