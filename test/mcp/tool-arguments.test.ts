import { inspect } from 'node:util'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import type { JSONRPCMessage } from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, test } from 'vitest'
import {
  apiKey,
  bearer,
  ConfigurationError,
  CredentialError,
  type CredentialProvider,
  custom,
} from '../../src/index.ts'
import { type ToolArgumentsOptions, withToolArguments } from '../../src/mcp/tool-arguments.ts'

const resource = 'https://mcp.example.com/mcp'

type Arguments = Readonly<Record<string, unknown>>

/** A call of a tool, as a client sends it. */
function call(id: number, args?: Arguments, name = 'echo') {
  const params = args === undefined ? { name } : { name, arguments: args }
  return { jsonrpc: '2.0' as const, id, method: 'tools/call', params }
}

/** A wrapped transport, whose other end keeps what arrives. */
async function linked(options: Omit<ToolArgumentsOptions, 'resource'>) {
  const [near, far] = InMemoryTransport.createLinkedPair()
  const received: JSONRPCMessage[] = []
  far.onmessage = (message) => void received.push(message)
  const transport = withToolArguments(near, { resource, ...options })
  await transport.start()
  await far.start()
  return {
    near,
    far,
    transport,
    received,
    arguments: () =>
      received.map((message) => {
        return ('params' in message ? message.params?.['arguments'] : undefined) as Arguments
      }),
  }
}

/** A provider of the tokens `token-1`, `token-2` and so on. */
function numbered(lifetime?: number): CredentialProvider & { count: number } {
  const provider = {
    name: 'numbered',
    count: 0,
    async acquire({ now }: { now(): number }) {
      provider.count += 1
      const value = `token-${provider.count}`
      return {
        ...(lifetime === undefined ? {} : { expiresAt: now() + lifetime * 1000 }),
        apply: ({ headers }: { headers: Headers }) =>
          headers.set('Authorization', `Bearer ${value}`),
      }
    },
  }
  return provider
}

describe('what is sent', () => {
  test('a tool call gets the secret, and the message of the caller stays as it is', async () => {
    const wire = await linked({ arguments: { auth_token: 'secret-1' } })
    const message = call(1, { text: 'hello' })
    const before = structuredClone(message)

    await wire.transport.send(message)

    expect(wire.received).toEqual([
      { ...before, params: { name: 'echo', arguments: { text: 'hello', auth_token: 'secret-1' } } },
    ])
    expect(message).toEqual(before)
  })

  test('a call without arguments gets them, and keeps its other parameters', async () => {
    const wire = await linked({ arguments: { auth_token: 'secret-1' } })
    const message = call(1)
    const _meta = { progressToken: 7 }

    await wire.transport.send({ ...message, params: { ...message.params, _meta } })

    expect(wire.received).toMatchObject([
      { params: { name: 'echo', _meta, arguments: { auth_token: 'secret-1' } } },
    ])
  })

  test('what the caller wrote into the argument is replaced', async () => {
    const wire = await linked({ arguments: { auth_token: 'secret-1' } })

    await wire.transport.send(call(1, { auth_token: 'made up by a model' }))

    expect(wire.arguments()).toEqual([{ auth_token: 'secret-1' }])
  })

  test('any other message is passed on as the same object', async () => {
    const wire = await linked({ arguments: { auth_token: 'secret-1' } })
    const list = { jsonrpc: '2.0' as const, id: 1, method: 'tools/list', params: { name: 'echo' } }
    const answer = { jsonrpc: '2.0' as const, id: 'server-1', result: {} }

    await wire.transport.send(list)
    await wire.transport.send(answer)

    expect(wire.received[0]).toBe(list)
    expect(wire.received[1]).toBe(answer)
  })

  test.each([
    ['a list', ['whoami']],
    ['a function', (name: string) => name === 'whoami'],
  ])('only the tools that %s names get it', async (_what, tools) => {
    const wire = await linked({ arguments: { auth_token: 'secret-1' }, tools })

    await wire.transport.send(call(1, { text: 'hello' }, 'echo'))
    await wire.transport.send(call(2, {}, 'whoami'))

    expect(wire.arguments()).toEqual([{ text: 'hello' }, { auth_token: 'secret-1' }])
  })

  test('every call of a batch gets it, and the batch stays one', async () => {
    const sent: unknown[] = []
    const transport = withToolArguments(
      { send: async (message: unknown) => void sent.push(message), close: async () => {} },
      { resource, arguments: { auth_token: 'secret-1' } },
    )
    const other = { jsonrpc: '2.0', id: 2, method: 'ping' }

    await transport.send([call(1, {}), other])

    expect(sent).toEqual([[call(1, { auth_token: 'secret-1' }), other]])
  })

  test('the options of send reach the transport', async () => {
    const seen: unknown[] = []
    const transport = withToolArguments(
      {
        send: async (_message: unknown, options?: unknown) => void seen.push(options),
        close: async () => {},
      },
      { resource, arguments: { auth_token: 'secret-1' } },
    )
    const options = { resumptionToken: 'event-7' }

    await transport.send(call(1, {}), options)

    expect(seen).toEqual([options])
  })
})

describe('where the value comes from', () => {
  test('a function is asked for each call', async () => {
    let reads = 0
    const wire = await linked({
      arguments: {
        auth_token: () => {
          reads += 1
          return `secret-${reads}`
        },
      },
    })

    await wire.transport.send(call(1))
    await wire.transport.send(call(2))

    expect(wire.arguments()).toEqual([{ auth_token: 'secret-1' }, { auth_token: 'secret-2' }])
  })

  test('the token of a provider is used without the scheme, and acquired once', async () => {
    const provider = numbered()
    const wire = await linked({ arguments: { auth_token: provider } })

    await Promise.all([wire.transport.send(call(1)), wire.transport.send(call(2))])

    expect(wire.arguments()).toEqual([{ auth_token: 'token-1' }, { auth_token: 'token-1' }])
    expect(provider.count).toBe(1)
  })

  test('the token of a provider is renewed before it expires', async () => {
    let time = 1_000_000
    const wire = await linked({
      arguments: { auth_token: numbered(600) },
      now: () => time,
      random: () => 0,
    })

    await wire.transport.send(call(1))
    time += 595_000
    await wire.transport.send(call(2))

    expect(wire.arguments()).toEqual([{ auth_token: 'token-1' }, { auth_token: 'token-2' }])
  })

  test('several arguments each get their own', async () => {
    const wire = await linked({
      arguments: { user: 'alice', auth_token: bearer('secret-1') },
    })

    await wire.transport.send(call(1))

    expect(wire.arguments()).toEqual([{ user: 'alice', auth_token: 'secret-1' }])
  })
})

describe('what goes wrong', () => {
  test('a credential that cannot be had rejects the call with its error, and nothing is sent', async () => {
    const failure = new CredentialError('acquire_failed', 'No token today.')
    const provider = custom({ acquire: () => Promise.reject(failure) })
    const wire = await linked({ arguments: { auth_token: provider } })

    await expect(wire.transport.send(call(1))).rejects.toBe(failure)
    expect(wire.received).toEqual([])
  })

  test('a secret that cannot be read says which argument it is for', async () => {
    const wire = await linked({ arguments: { auth_token: () => '' } })

    await expect(wire.transport.send(call(1))).rejects.toThrow(/^arguments\.auth_token is empty/)
    expect(wire.received).toEqual([])
  })

  test.each([
    ['sets another header', apiKey({ value: 'hidden-value' })],
    [
      'uses another scheme',
      custom({
        acquire: async () => ({
          apply: ({ headers }) => headers.set('Authorization', 'DPoP hidden-value'),
        }),
      }),
    ],
    [
      'cannot be applied',
      {
        name: 'broken',
        acquire: async () => ({
          apply: () => Promise.reject(new Error('cannot set hidden-value')),
        }),
      },
    ],
  ])('a credential that %s is refused without showing it', async (_what, provider) => {
    const wire = await linked({ arguments: { auth_token: provider } })

    const error: unknown = await wire.transport.send(call(1)).catch((reason: unknown) => reason)

    expect(error).toMatchObject({ code: 'invalid_credential' })
    expect(inspect(error, { depth: 9 }) + JSON.stringify(error)).not.toContain('hidden-value')
    expect(wire.received).toEqual([])
  })

  test('a call that was cancelled while it waited for its credential is not sent', async () => {
    const token = withResolvers<string>()
    const wire = await linked({ arguments: { auth_token: () => token.promise } })
    const cancel = {
      jsonrpc: '2.0' as const,
      method: 'notifications/cancelled',
      params: { requestId: 1 },
    }

    const first = wire.transport.send(call(1))
    const second = wire.transport.send(call(2))
    await wire.transport.send(cancel)
    token.resolve('secret-1')
    await Promise.all([first, second])

    expect(wire.received).toEqual([cancel, call(2, { auth_token: 'secret-1' })])
  })

  test('a call whose signal was aborted while it waited is not sent', async () => {
    const sent: unknown[] = []
    const token = withResolvers<string>()
    const transport = withToolArguments(
      {
        send: async (message: unknown, _options?: unknown) => void sent.push(message),
        close: async () => {},
      },
      { resource, arguments: { auth_token: () => token.promise } },
    )
    const controller = new AbortController()

    const sending = transport.send(call(1), { requestSignal: controller.signal })
    controller.abort()
    token.resolve('secret-1')
    await sending

    expect(sent).toEqual([])
  })
})

describe('a caller that gives up', () => {
  /** A provider that never answers, and the signal that it was given. */
  function endless() {
    const started = withResolvers<AbortSignal>()
    const provider: CredentialProvider = {
      name: 'endless',
      acquire({ signal }) {
        started.resolve(signal)
        return new Promise(() => {})
      },
    }
    return { provider, started: started.promise }
  }

  test('by its signal does not wait for the credential, and ends its acquisition', async () => {
    const { provider, started } = endless()
    const wire = await linked({ arguments: { auth_token: provider } })
    const controller = new AbortController()

    const sending = wire.transport.send(call(1), { requestSignal: controller.signal } as never)
    const signal = await started
    controller.abort()
    await sending

    expect(signal.aborted).toBe(true)
    expect(wire.received).toEqual([])
  })

  test('by a notification does not wait for the credential, and ends its acquisition', async () => {
    const { provider, started } = endless()
    const wire = await linked({ arguments: { auth_token: provider } })
    const params = { requestId: 1 }

    const sending = wire.transport.send(call(1))
    const signal = await started
    await wire.transport.send({ jsonrpc: '2.0', method: 'notifications/cancelled', params })
    await sending

    expect(signal.aborted).toBe(true)
  })

  test('does not end the acquisition that another call waits for', async () => {
    const token = withResolvers<string>()
    const provider: CredentialProvider = {
      name: 'slow',
      async acquire() {
        const value = await token.promise
        return { apply: ({ headers }) => headers.set('Authorization', `Bearer ${value}`) }
      },
    }
    const wire = await linked({ arguments: { auth_token: provider } })
    const controller = new AbortController()

    const first = wire.transport.send(call(1), { requestSignal: controller.signal } as never)
    const second = wire.transport.send(call(2))
    controller.abort()
    await first
    token.resolve('token-1')
    await second

    expect(wire.received).toEqual([call(2, { auth_token: 'token-1' })])
  })

  test('gives its signal to the source of a secret', async () => {
    let given: AbortSignal | undefined
    const source = ({ signal }: { readonly signal?: AbortSignal | undefined }) => {
      given = signal
      return new Promise<string>(() => {})
    }
    const wire = await linked({ arguments: { auth_token: source } })
    const controller = new AbortController()

    const sending = wire.transport.send(call(1), { requestSignal: controller.signal } as never)
    controller.abort()
    await sending

    expect(given?.aborted).toBe(true)
  })

  test('before its call is sent has nothing acquired', async () => {
    const provider = numbered()
    const wire = await linked({ arguments: { auth_token: provider } })

    await wire.transport.send(call(1), { requestSignal: AbortSignal.abort() } as never)

    expect(provider.count).toBe(0)
    expect(wire.received).toEqual([])
  })

  test('closing the transport ends the wait for a secret', async () => {
    const wire = await linked({ arguments: { auth_token: () => new Promise<string>(() => {}) } })

    const sending = wire.transport.send(call(1))
    const rejection = expect(sending).rejects.toMatchObject({ code: 'closed' })
    await wire.transport.close()

    await rejection
    expect(wire.received).toEqual([])
  })
})

describe('isRejected', () => {
  const refused = { isError: true, content: [{ type: 'text', text: 'invalid token' }] }
  const isRejected = ({ isError }: Arguments) => isError === true

  test('a refusal makes the next call bring a new token', async () => {
    const wire = await linked({ arguments: { auth_token: numbered() }, isRejected })
    const messages: unknown[] = []
    wire.transport.onmessage = (message) => void messages.push(message)

    await wire.transport.send(call(1))
    await wire.far.send({ jsonrpc: '2.0', id: 1, result: refused })
    await wire.transport.send(call(2))
    await wire.far.send({ jsonrpc: '2.0', id: 2, result: { content: [] } })
    await wire.transport.send(call(3))

    expect(wire.arguments().map(({ auth_token }) => auth_token)).toEqual([
      'token-1',
      'token-2',
      'token-2',
    ])
    expect(messages).toHaveLength(2)
  })

  test('a JSON-RPC error can be a refusal too', async () => {
    const wire = await linked({
      arguments: { auth_token: numbered() },
      isRejected: ({ code }) => code === -32001,
    })
    wire.transport.onmessage = () => {}

    await wire.transport.send(call(1))
    await wire.far.send({ jsonrpc: '2.0', id: 1, error: { code: -32001, message: 'no' } })
    await wire.transport.send(call(2))

    expect(wire.arguments().map(({ auth_token }) => auth_token)).toEqual(['token-1', 'token-2'])
  })

  test('a late refusal of the previous token does not cost the new one', async () => {
    const provider = numbered()
    const wire = await linked({ arguments: { auth_token: provider }, isRejected })
    wire.transport.onmessage = () => {}

    await Promise.all([wire.transport.send(call(1)), wire.transport.send(call(2))])
    await wire.far.send({ jsonrpc: '2.0', id: 1, result: refused })
    await wire.transport.send(call(3))
    await wire.far.send({ jsonrpc: '2.0', id: 3, result: { content: [] } })
    await wire.far.send({ jsonrpc: '2.0', id: 2, result: refused })
    await wire.transport.send(call(4))

    expect(provider.count).toBe(2)
  })

  test('an accepted call in between lets the next refusal renew at once', async () => {
    const wire = await linked({ arguments: { auth_token: numbered() }, isRejected })
    wire.transport.onmessage = () => {}

    for (const [index, result] of [refused, { content: [] }, refused].entries()) {
      await wire.transport.send(call(index))
      await wire.far.send({ jsonrpc: '2.0', id: index, result })
    }
    await wire.transport.send(call(3))

    expect(wire.arguments().at(-1)).toEqual({ auth_token: 'token-3' })
  })

  test('it is not asked about answers to other requests', async () => {
    const provider = numbered()
    const asked: unknown[] = []
    const wire = await linked({
      arguments: { auth_token: provider },
      tools: ['whoami'],
      isRejected: (answer) => {
        asked.push(answer)
        return true
      },
    })
    wire.transport.onmessage = () => {}

    await wire.transport.send(call(1, {}, 'echo'))
    await wire.far.send({ jsonrpc: '2.0', id: 1, result: refused })

    expect(asked).toEqual([])
  })

  test('when it throws, the answer is delivered all the same and the transport reports it', async () => {
    const failure = new Error('a mistake in isRejected')
    const wire = await linked({
      arguments: { auth_token: numbered() },
      isRejected: () => {
        throw failure
      },
    })
    const messages: unknown[] = []
    const errors: unknown[] = []
    wire.transport.onmessage = (message) => void messages.push(message)
    wire.transport.onerror = (error) => void errors.push(error)

    await wire.transport.send(call(1))
    await wire.far.send({ jsonrpc: '2.0', id: 1, result: { content: [] } })

    expect(messages).toHaveLength(1)
    expect(errors).toEqual([failure])
  })
})

describe('the rest of the transport', () => {
  class Private {
    #version = 'none'
    readonly sent: unknown[] = []
    onclose?: () => void
    get version() {
      return this.#version
    }
    setProtocolVersion(version: string) {
      this.#version = version
    }
    async send(message: unknown) {
      this.sent.push(this.#version, message)
    }
    async close() {
      this.onclose?.()
    }
  }

  test('methods, getters and properties work as on the original', async () => {
    const original = new Private()
    const transport = withToolArguments(original, { resource, arguments: { auth_token: 's' } })
    let closed = 0
    const onclose = () => {
      closed += 1
    }

    transport.setProtocolVersion('2025-11-25')
    transport.onclose = onclose
    await transport.send(call(1))
    await transport.close()

    expect(transport).toBeInstanceOf(Private)
    expect(transport.version).toBe('2025-11-25')
    expect(transport.setProtocolVersion).toBe(transport.setProtocolVersion)
    expect(transport.onclose).toBe(onclose)
    expect(original.onclose).toBe(onclose)
    expect(original.sent).toEqual(['2025-11-25', call(1, { auth_token: 's' })])
    expect(closed).toBe(1)
  })

  test('closing it ends an acquisition that is under way', async () => {
    let signal: AbortSignal | undefined
    const started = withResolvers<void>()
    const provider: CredentialProvider = {
      name: 'slow',
      acquire: (context) => {
        signal = context.signal
        started.resolve()
        return new Promise(() => {})
      },
    }
    const wire = await linked({ arguments: { auth_token: provider } })

    const sending = wire.transport.send(call(1))
    const rejection = expect(sending).rejects.toMatchObject({ code: 'closed' })
    await started.promise
    await wire.transport.close()

    await rejection
    expect(signal?.aborted).toBe(true)
    expect(wire.received).toEqual([])
  })
})

describe('options', () => {
  const make = (options: object) => () =>
    withToolArguments(
      { send: async () => {}, close: async () => {} },
      options as ToolArgumentsOptions,
    )

  test.each([
    ['no arguments', { resource, arguments: {} }, 'arguments'],
    ['an unknown one', { resource, arguments: { a: 's' }, tool: [] }, 'withToolArguments.tool'],
    ['an empty secret', { resource, arguments: { auth_token: '' } }, 'arguments.auth_token'],
    ['a value that is missing', { resource, arguments: { a: undefined } }, 'arguments.a'],
    ['no resource', { arguments: { a: 's' } }, 'resource'],
    ['plain http', { resource: 'http://mcp.example.com', arguments: { a: 's' } }, 'resource'],
  ])('%s is refused at construction', (_what, options, option) => {
    expect(make(options)).toThrow(ConfigurationError)
    expect(make(options)).toThrow(expect.objectContaining({ option }))
  })

  test('plain http is allowed on this machine, and elsewhere when told', () => {
    const values = { arguments: { auth_token: 'secret-1' } }

    expect(make({ ...values, resource: 'http://127.0.0.1:80/mcp' })).not.toThrow()
    expect(
      make({ ...values, resource: 'http://mcp.example.com', allowInsecure: true }),
    ).not.toThrow()
  })
})

function withResolvers<T>() {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => {
    resolve = done
  })
  return { promise, resolve }
}
