import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import type { Credential } from '../../src/index.ts'
import { snapshotCall } from '../../src/transport/call.ts'
import { type RetryPolicy, resolveRetryPolicy } from '../../src/transport/retry.ts'
import { Sender } from '../../src/transport/sender.ts'
import { deferred, settle } from '../support/clock.ts'
import { type FakePort, fakePort } from '../support/fake-port.ts'
import { type Wire, wire } from '../support/wire.ts'

const resource = 'https://mcp.example.com/mcp'

function send(port: FakePort, network: Wire, init: RequestInit = {}, retry: RetryPolicy = {}) {
  const channel = {
    port,
    send: network.fetch,
    now: Date.now,
    observed: true,
    tenant: undefined,
    source: undefined,
    throwOnRefusal: false,
  }
  const sender = new Sender(channel, resolveRetryPolicy({ backoffFactor: 0, ...retry }, 1))
  return sender.request(snapshotCall(resource, init))
}

const named = (name: string, more: Partial<Credential> = {}): Credential => ({
  apply: ({ headers }) => headers.set('Authorization', name),
  ...more,
})

const redirect = (to = '/elsewhere') =>
  new Response(null, { status: 307, headers: { Location: to } })

describe('a logout while a request is prepared', () => {
  it('prevents the use of a credential that was obtained before it', async () => {
    const network = wire()
    const port = fakePort(async (session) => {
      if (session === 0) port.session = 1
      return named(`session-${session}`)
    })

    await send(port, network)

    expect(network.authorizations()).toEqual(['session-1'])
  })

  it('prevents the use of a credential whose apply is still running', async () => {
    const network = wire()
    const open = deferred<void>()
    const port = fakePort((session) =>
      session === 0
        ? { apply: ({ headers }) => open.promise.then(() => headers.set('Authorization', 'old')) }
        : named('new'),
    )

    const response = send(port, network)
    await settle()
    port.session = 1
    open.resolve()
    await response

    expect(network.authorizations()).toEqual(['new'])
  })

  it('prevents its use in a redirect, which starts over with a new credential', async () => {
    const network = wire((_sent, count) => {
      if (count === 1) port.session = 1
      return count < 3 ? redirect() : new Response('ok')
    })
    const port = fakePort((session) => named(`session-${session}`))

    await send(port, network, { method: 'POST', body: '{}' })

    expect(network.sent.map(({ url }) => new URL(url).pathname)).toEqual([
      '/mcp',
      '/mcp',
      '/elsewhere',
    ])
    expect(network.authorizations()).toEqual(['session-0', 'session-1', 'session-1'])
  })

  it('at every attempt ends in an error', async () => {
    const network = wire()
    const port = fakePort(() => {
      port.session += 1
      return named('x')
    })

    await expect(send(port, network)).rejects.toMatchObject({
      code: 'acquire_failed',
      retryable: true,
    })
    expect(network.sent).toEqual([])
  })
})

describe('a closed manager', () => {
  it('sends no request, even with a current credential', async () => {
    const network = wire()
    const port = fakePort(() => named('x'), { current: () => named('x') })
    port.close()

    await expect(send(port, network)).rejects.toMatchObject({ code: 'closed' })
    expect(network.sent).toEqual([])
  })

  it('sends no request without a credential that was waiting for the store', async () => {
    const network = wire()
    const port = fakePort(() => named('x'), {
      wantsChallenge: true,
      restored: () => new Promise(() => {}),
    })

    const failed = send(port, network).catch((error: unknown) => error)
    await settle()
    port.close()

    expect(await failed).toMatchObject({ code: 'closed' })
    expect(network.sent).toEqual([])
  })

  it.each([true, false])(
    'sends nothing whenever it is closed, with an initial request without a credential: %s',
    async (wantsChallenge) => {
      const sentAfterwards: boolean[] = []
      for (let turns = 0; turns < 40; turns += 1) {
        const port = fakePort(() => named('x', { observe: async () => undefined }), {
          wantsChallenge,
        })
        const network = wire((_sent, count) => {
          sentAfterwards.push(port.closing.aborted)
          if (count === 1) return new Response(null, { status: 401 })
          return count === 2 ? redirect() : new Response('ok')
        })

        const result = send(port, network).catch((error: unknown) => error)
        for (let turn = 0; turn < turns; turn += 1) await Promise.resolve()
        port.close()
        await result
      }

      expect(sentAfterwards.length).toBeGreaterThan(40)
      expect(sentAfterwards).not.toContain(true)
    },
  )

  it('ends the wait before a retry', async () => {
    const network = wire(
      () => new Response(null, { status: 503, headers: { 'Retry-After': '30' } }),
    )
    const port = fakePort(() => named('x'))

    const failed = send(port, network, {}, { statusCodes: [503] }).catch((error: unknown) => error)
    await settle()
    port.close()

    expect(await failed).toMatchObject({ code: 'closed' })
    expect(network.sent).toHaveLength(1)
  })

  it('aborts the signal that a signer received', async () => {
    const signals: (AbortSignal | undefined)[] = []
    const port = fakePort(() => ({
      apply: ({ signal }) => {
        signals.push(signal)
        return new Promise(() => {})
      },
    }))
    const caller = new AbortController()

    const failed = send(port, wire(), { signal: caller.signal }).catch((error: unknown) => error)
    await settle()
    port.close()
    await failed

    expect(signals.map((signal) => [signal?.aborted, signal?.reason?.code])).toEqual([
      [true, 'closed'],
    ])
    expect(caller.signal.aborted).toBe(false)
  })
})

describe('observe()', () => {
  it('may be asynchronous, and requests as many round trips as the provider allows', async () => {
    const network = wire(() => new Response(null, { status: 401 }))
    const port = fakePort(() => named('x', { observe: async () => 'resend' as const }))
    port.maxResends = 3

    const response = await send(port, network, {}, { maxRetries: 0 })

    expect(response.status).toBe(401)
    expect(network.sent).toHaveLength(4)
    expect(port.reported).toEqual(['rejected', 'request_rejected'])
  })

  it('does not use up the retries', async () => {
    const network = wire((_sent, count) => new Response(null, { status: count < 4 ? 401 : 200 }))
    let observed = 0
    const port = fakePort(() =>
      named('x', {
        observe: () => {
          observed += 1
          return observed === 1 ? 'resend' : undefined
        },
      }),
    )

    const response = await send(port, network, {}, { maxRetries: 2 })

    expect(response.status).toBe(200)
    expect(port.reported.filter((type) => type === 'rejected')).toHaveLength(2)
  })

  it('can request a renewal, which is treated like a 401', async () => {
    const network = wire()
    let made = 0
    const port = fakePort(() => {
      made += 1
      return named(`n${made}`, made === 1 ? { observe: () => 'renew' } : {})
    })
    port.maxResends = 5

    const response = await send(port, network)

    expect(response.status).toBe(200)
    expect(port.reported).toEqual(['rejected', 'request_retry', 'accepted'])
    expect(network.authorizations()[0]).toBe('n1')
    expect(network.sent).toHaveLength(2)
  })

  it('that always requests a renewal stops when the retries are used up', async () => {
    const network = wire(() => new Response('page'))
    const port = fakePort(() => named('x', { observe: () => 'renew' }))

    const response = await send(port, network, {}, { maxRetries: 2 })

    expect(await response.text()).toBe('page')
    expect(network.sent).toHaveLength(3)
    expect(port.reported.at(-1)).toBe('request_rejected')
  })

  it('that rejects makes the request fail without its text', async () => {
    const port = fakePort(() =>
      named('x', { observe: () => Promise.reject(new Error('top secret')) }),
    )

    const error = await send(port, wire()).catch((reason: unknown) => reason)

    expect(error).toMatchObject({ code: 'invalid_credential' })
    expect(inspect(error, { showHidden: true })).not.toContain('top secret')
  })
})

describe('refused()', () => {
  const toLogin = ({ status, headers }: { status: number; headers: Headers }) =>
    status === 307 && headers.get('Location') === '/login'

  it('treats a redirect to a login page as a 401, and does not follow it', async () => {
    const network = wire((_sent, count) => (count === 1 ? redirect('/login') : new Response('ok')))
    const port = fakePort(() => named('x'), { refused: toLogin })

    const response = await send(port, network)

    expect(response.status).toBe(200)
    expect(network.sent.map(({ url }) => url)).toEqual([resource, resource])
    expect(port.reported).toEqual(['rejected', 'request_retry', 'accepted'])
  })

  it('treats a login page with status 200 as a 401, and returns the last one', async () => {
    const network = wire(() => new Response('<form>'))
    const port = fakePort(() => named('x'), { refused: ({ status }) => status === 200 })

    const response = await send(port, network)

    expect(await response.text()).toBe('<form>')
    expect(network.sent).toHaveLength(2)
    expect(port.reported).toEqual(['rejected', 'request_retry', 'rejected', 'request_rejected'])
  })

  it('that throws is ignored', async () => {
    const port = fakePort(() => named('x'), {
      refused: () => {
        throw new Error('bug')
      },
    })

    expect((await send(port, wire())).status).toBe(200)
  })

  it('also leads to a login after the first request without a credential', async () => {
    const network = wire((_sent, count) => (count === 1 ? redirect('/login') : new Response('ok')))
    const port = fakePort(() => named('x'), { refused: toLogin, wantsChallenge: true })

    await send(port, network, { redirect: 'manual' })

    expect(network.authorizations()).toEqual([null, 'x'])
    expect(port.reported).toEqual(['challenged', 'accepted'])
  })
})
