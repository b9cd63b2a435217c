import { describe, expect, it } from 'vitest'
import { lineClient } from '../support/bridge-client.ts'
import { canWriteDeepJson, deepJson } from '../support/deep-json.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { scriptedMcp } from '../support/scripted-mcp.ts'
import { until } from '../support/tokens.ts'

const batch = '[{"jsonrpc":"2.0","id":1,"method":"a"}, {"jsonrpc":"2.0","id":2,"method":"b"}]'

describe('a batch', () => {
  it('goes on as one message, and so does its answer', async () => {
    const answer = '[{"jsonrpc":"2.0","id":2,"result":{}},  {"jsonrpc":"2.0","id":1,"result":{}}]'
    const server = await recordingOrigin((_request, response) =>
      response.writeHead(200, { 'content-type': 'application/json' }).end(answer),
    )
    const client = lineClient(`${server.origin}/mcp`)

    client.send(batch)

    expect(await client.nextLine()).toBe(answer)
    expect(server.requests.map(({ body }) => body)).toEqual([batch])
  })

  it('has the answers left out that nobody waits for', async () => {
    let finish = () => {}
    const server = await recordingOrigin(({ body }, response) => {
      if (body !== batch) return response.writeHead(202).end()
      finish = () => {
        const answers = [1, 2].map((id) => ({ jsonrpc: '2.0', id, result: {} }))
        response.writeHead(200, { 'content-type': 'application/json' })
        response.end(JSON.stringify(answers))
      }
    })
    const client = lineClient(`${server.origin}/mcp`)
    client.send(batch)
    await until(() => server.requests.length === 1, 'the batch')

    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    await until(() => server.requests.length === 2, 'the cancellation')
    finish()

    expect(JSON.parse(await client.nextLine())).toEqual([{ jsonrpc: '2.0', id: 2, result: {} }])
  })
})

describe('an answer with line breaks', () => {
  it('arrives on one line, otherwise unchanged', async () => {
    const server = await scriptedMcp()
    server.on('x', ({ response }) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end('{\r\n  "jsonrpc": "2.0",\n  "id": 1,\n  "result": {"text": "a\\nb"}\n}\n')
    })
    const client = lineClient(server.url)

    client.send({ jsonrpc: '2.0', id: 1, method: 'x' })

    expect(await client.nextLine()).toBe(
      '{   "jsonrpc": "2.0",   "id": 1,   "result": {"text": "a\\nb"} }',
    )
  })
})

describe('an answer that nobody asked for', () => {
  it('is dropped, and other messages of unknown kinds are passed on', async () => {
    const server = await scriptedMcp()
    const client = lineClient(server.url)
    await client.initialize()
    await until(() => server.streams.length === 1, 'the stream')

    server.streams[0]?.event({ jsonrpc: '2.0', id: 99, result: {} })
    server.streams[0]?.event('{"jsonrpc":"2.0","method":"future/thing","params":[1],"x":{}}')

    expect(await client.nextLine()).toBe(
      '{"jsonrpc":"2.0","method":"future/thing","params":[1],"x":{}}',
    )
  })

  /** Has the first of two calls cancelled before both are answered with deeply nested results. */
  async function cancelledBeforeDeepAnswers() {
    let finish = () => {}
    const server = await recordingOrigin(({ body }, response) => {
      if (body !== batch) return response.writeHead(202).end()
      finish = () => {
        const answers = [1, 2].map(
          (id) => `{"jsonrpc":"2.0","id":${id},"result":{"deep":${deepJson}}}`,
        )
        response.writeHead(200, { 'content-type': 'application/json' }).end(`[${answers.join()}]`)
      }
    })
    const client = lineClient(`${server.origin}/mcp`)
    client.send(batch)
    await until(() => server.requests.length === 1, 'the batch')

    client.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 1 } })
    await until(() => server.requests.length === 2, 'the cancellation')
    finish()
    return client
  }

  it.skipIf(canWriteDeepJson)(
    'is answered by the bridge when what is left of the answer cannot be written',
    async () => {
      const client = await cancelledBeforeDeepAnswers()

      expect(await client.next()).toMatchObject({
        id: 2,
        error: { data: { code: 'outcome_unknown' } },
      })
    },
  )

  it.runIf(canWriteDeepJson)(
    'is dropped, and what is left of the answer is passed on however deep it is',
    async () => {
      const client = await cancelledBeforeDeepAnswers()

      expect(await client.nextLine()).toBe(
        `[{"jsonrpc":"2.0","id":2,"result":{"deep":${deepJson}}}]`,
      )
    },
  )
})
