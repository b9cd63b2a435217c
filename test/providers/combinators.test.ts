import { describe, expect, test } from 'vitest'
import {
  all,
  apiKey,
  bearer,
  type Credential,
  CredentialError,
  type CredentialProvider,
  custom,
  env,
  firstAvailable,
  rotating,
} from '../../src/index.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'
import { applied, outgoing } from '../support/acquire.ts'

const key = (value: string) => apiKey({ value })
const failing = (message: string, retryable = false): CredentialProvider =>
  custom({
    name: message,
    acquire: () => {
      throw new CredentialError('secret_unavailable', message, { retryable })
    },
  })
const sent = async (credential: Credential) => {
  const request = outgoing()
  await credential.apply(request)
  return request.headers.get('X-API-Key')
}

describe('all', () => {
  const part = (name: string, expiresAt?: number): CredentialProvider & { count: number } => {
    const provider = {
      name,
      count: 0,
      async acquire() {
        provider.count += 1
        return {
          ...(expiresAt === undefined ? {} : { expiresAt }),
          apply: ({ headers }: { headers: Headers }) => headers.append('X-Order', name),
          observe: () => (name === 'learns' ? ('resend' as const) : undefined),
        }
      },
    }
    return provider
  }

  test('applies its parts in order, and expires with the part that expires first', async () => {
    const { request, credential } = await applied(all(part('a'), part('b', 5000), part('c', 9000)))
    expect(request.headers.get('X-Order')).toBe('a, b, c')
    expect(credential.expiresAt).toBe(5000)
  })

  test('passes the response to every part, and repeats the request if one of them asks for it', async () => {
    const response = { status: 401, headers: new Headers(), url: 'https://mcp.example.com/mcp' }
    const calm = (await applied(all(part('a'), part('b')))).credential
    expect(await calm.observe?.(response, outgoing())).toBeUndefined()
    const keen = (await applied(all(part('learns'), part('b')))).credential
    expect(await keen.observe?.(response, outgoing())).toBe('resend')
  })

  const response = { status: 401, headers: new Headers(), url: 'https://mcp.example.com/mcp' }
  const observing = (observe: Credential['observe'] & {}) =>
    custom({ acquire: () => ({ apply: () => {}, observe }) })

  test('waits for parts with an asynchronous observe', async () => {
    const slow = observing(async () => 'renew' as const)
    const { credential } = await applied(all(part('learns'), slow))
    expect(await credential.observe?.(response, outgoing())).toBe('renew')
  })

  test.each([
    [
      'at once',
      () => {
        throw new Error('confused')
      },
    ],
    [
      'later',
      async () => {
        throw new Error('confused')
      },
    ],
  ])('passes the response to the other parts if one throws %s', async (_when, confused) => {
    const { credential } = await applied(all(observing(confused), part('learns')))
    expect(await credential.observe?.(response, outgoing())).toBe('resend')
    const alone = (await applied(all(observing(confused), part('a')))).credential
    await expect((async () => alone.observe?.(response, outgoing()))()).rejects.toThrow('confused')
  })

  test('applies and observes synchronously if its parts do', async () => {
    const { credential } = await applied(all(part('a'), part('learns')))
    const request = outgoing()
    expect(credential.apply(request)).toBeUndefined()
    expect(request.headers.get('X-Order')).toBe('a, learns')
    expect(credential.observe?.(response, request)).toBe('resend')
  })

  test('applies a part after an asynchronous one', async () => {
    const slow = custom({
      acquire: () => ({
        async apply({ headers }) {
          await Promise.resolve()
          headers.append('X-Order', 'slow')
        },
      }),
    })
    const { request } = await applied(all(part('a'), slow, part('b'), slow))
    expect(request.headers.get('X-Order')).toBe('a, slow, b, slow')
  })

  test('renews only the parts that are due, and all parts after a refusal', async () => {
    const { now } = acquireContext()
    const forever = part('forever')
    const short = part('short', now() + 60_000)
    const provider = all(forever, short)
    const previous = await provider.acquire(acquireContext())
    await provider.acquire(acquireContext({ reason: 'expiring', previous }))
    expect([forever.count, short.count]).toEqual([1, 2])
    await provider.acquire(acquireContext({ reason: 'rejected', previous }))
    expect([forever.count, short.count]).toEqual([2, 3])
  })

  test('fails when a part fails', async () => {
    await expect(applied(all(key('k'), failing('no tenant')))).rejects.toThrow('no tenant')
  })
})

describe('firstAvailable', () => {
  test('uses the first provider that has a credential', async () => {
    const provider = firstAvailable(failing('no variable'), key('second'), key('third'))
    expect(await sent((await applied(provider)).credential)).toBe('second')
  })

  test('lists the error of each provider if none has a credential', async () => {
    const provider = firstAvailable(failing('no variable'), failing('no file', true))
    await expect(applied(provider)).rejects.toMatchObject({
      message: expect.stringMatching(/no variable.*no file/),
      retryable: true,
    })
  })
})

test('firstAvailable can be tried again as soon as its providers permit', async () => {
  const source = firstAvailable(
    bearer(env('MCP_TEST_NOT_SET')),
    bearer(env('MCP_TEST_NOT_SET_EITHER')),
  )
  await expect(applied(source)).rejects.toMatchObject({ retryable: false, retryAfter: 1 })
  const other = firstAvailable(bearer(env('MCP_TEST_NOT_SET')), failing('wrong client'))
  const error = await applied(other).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ retryable: false })
  expect(error).not.toHaveProperty('retryAfter')
})

describe('rotating', () => {
  test('switches to the next credential after a refusal, keeps it, and starts over after the last', async () => {
    const provider = rotating([key('one'), key('two')])
    const first = await provider.acquire(acquireContext())
    const second = await provider.acquire(acquireContext({ reason: 'rejected', previous: first }))
    const later = await provider.acquire(acquireContext())
    const third = await provider.acquire(acquireContext({ reason: 'rejected', previous: second }))
    expect(await Promise.all([first, second, later, third].map(sent))).toEqual([
      'one',
      'two',
      'two',
      'one',
    ])
  })

  test('skips a key that cannot be read', async () => {
    const provider = rotating([failing('gone'), key('two')])
    expect(await sent((await applied(provider)).credential)).toBe('two')
  })

  test('throws the first error if no key can be read', async () => {
    await expect(applied(rotating([failing('one'), failing('two')]))).rejects.toThrow('one')
  })
})

describe.each([
  ['all', all],
  ['firstAvailable', firstAvailable],
  ['rotating', (...providers: CredentialProvider[]) => rotating(providers)],
])('the parts of %s', (_name, combine) => {
  test('determine how often a request may be sent again', () => {
    const handshake = { ...key('a'), maxResends: 3 }
    expect(combine(key('b'), handshake).maxResends).toBe(3)
    expect(combine(key('b'), key('c')).maxResends).toBe(1)
  })

  test('determine which responses are refusals', () => {
    const session = { ...key('a'), refused: ({ status }: { status: number }) => status === 302 }
    const provider = combine(key('b'), session)
    const answer = (status: number) => ({ status, headers: new Headers(), url: '' })
    expect(provider.refused?.(answer(302))).toBe(true)
    expect(provider.refused?.(answer(200))).toBe(false)
    expect(combine(key('b'), key('c')).refused).toBeUndefined()
  })

  test('cannot be selectors', () => {
    const selector = { name: 's', select: () => ({ key: 'k', provider: key('a') }) }
    expect(() => combine(key('b'), selector as never)).toThrow(/does not accept a selector/)
  })
})

test('firstAvailable does not quote errors of other code', async () => {
  const foreign = custom({ acquire: () => Promise.reject(new TypeError('cAnArY')) })
  const acquiring = applied(firstAvailable(foreign, foreign))
  await expect(acquiring).rejects.toThrow('custom: failed (TypeError).')
})

test.each([
  ['all', () => all()],
  ['firstAvailable', () => firstAvailable()],
  ['rotating', () => rotating([key('only')])],
  ['all', () => all('key' as never)],
])('%s rejects anything but a list of providers', (option, build) => {
  expect(build).toThrow(expect.objectContaining({ option }))
})
