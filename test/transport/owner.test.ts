import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, it } from 'vitest'
import {
  authorizedFetch,
  bearer,
  type CredentialEvent,
  type CredentialProvider,
  type CredentialSelector,
  perTenant,
  type SelectionRequest,
  withCredentials,
} from '../../src/index.ts'
import { memoryStore } from '../../src/stores/memory.ts'
import { ManagerPool } from '../../src/transport/manager-pool.ts'
import { deferred, settle, testClock } from '../support/clock.ts'
import { wire } from '../support/wire.ts'

const resource = 'https://mcp.example.com/mcp'

/** A provider that is named after its tenant, so that events show which tenant they belong to. */
function named(name: string, wait: Promise<unknown> = Promise.resolve()): CredentialProvider {
  return {
    name,
    async acquire() {
      await wait
      return { apply: ({ headers }) => headers.set('Authorization', name) }
    },
  }
}

function setUp(selector: CredentialSelector | CredentialProvider, options: object = {}) {
  const events: CredentialEvent[] = []
  const network = wire()
  const send = authorizedFetch(selector, {
    resource,
    fetch: network.fetch,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const closed = () => events.filter(({ type }) => type === 'closed').map((e) => e.provider)
  return { send, closed, events, ...network }
}

describe('the owner of one manager', () => {
  it('requires a resource, and says so', () => {
    const untyped = authorizedFetch as (provider: CredentialProvider) => unknown

    expect(() => untyped(bearer('t'))).toThrow(
      expect.objectContaining({ option: 'resource', code: 'configuration' }) as unknown as Error,
    )
    expect(() => untyped(bearer('t'))).toThrow('{ resource: url }')
  })

  it('logs in, logs out and closes', async () => {
    const { send, events, closed } = setUp(named('one'))

    expect(await send.login()).toBe(send.manager.current())
    const result = await send.logout()
    expect(result).toEqual({ revoked: false, reason: expect.stringContaining('where they were') })
    expect(send.manager.current()).toBeUndefined()
    await send.close()

    expect(events).toContainEqual(expect.objectContaining({ type: 'logged_out', ...result }))
    expect(closed()).toEqual(['one'])
    await expect(send(resource)).rejects.toMatchObject({ code: 'closed', resource })
    await expect(send('https://other.example.com/')).rejects.toMatchObject({ code: 'closed' })
    await expect(send.login()).rejects.toMatchObject({ code: 'closed' })
    await expect(send.logout()).rejects.toMatchObject({ code: 'closed' })
  })

  it('is disposed at the end of a block', async () => {
    const { send, closed } = setUp(named('one'))

    await send[Symbol.asyncDispose]()

    expect(closed()).toEqual(['one'])
  })

  it('returns transport options that can be spread, with functions that need no `this`', async () => {
    const network = wire()
    const { fetch, login, logout, close, ...rest } = {
      ...withCredentials(named('one'), { fetch: network.fetch }),
    }

    await expect(login()).rejects.toMatchObject({ code: 'configuration', option: 'resource' })
    expect(() => fetch.manager).toThrow('resource: url')
    await fetch(resource)
    await login()
    await logout()
    await rest[Symbol.asyncDispose]()

    await expect(fetch(resource)).rejects.toMatchObject({ code: 'closed' })
    await close()
  })

  it('sends nothing after close(), even if the body of a Request was still being read', async () => {
    const { send, sent } = setUp(named('one'))
    const body = new ReadableStream({
      async pull(controller) {
        await send.close()
        controller.enqueue(new TextEncoder().encode('{}'))
        controller.close()
      },
    })
    const request = new Request(resource, { method: 'POST', body, duplex: 'half' } as RequestInit)

    await expect(send(request)).rejects.toMatchObject({ code: 'closed' })
    expect(sent).toEqual([])
  })
})

describe('the owner of many managers', () => {
  const byTenant = (storage: AsyncLocalStorage<string>, maxTenants?: number, wait = settle()) =>
    perTenant(
      () => storage.getStore() ?? '',
      (name) => named(name, wait),
      maxTenants === undefined ? {} : { maxTenants },
    )

  it('logs in and out for the current tenant', async () => {
    const tenant = new AsyncLocalStorage<string>()
    const { send, events } = setUp(byTenant(tenant))

    await tenant.run('acme', () => send.login())
    await tenant.run('globex', () => send.logout())

    const by = (type: string) => events.filter((e) => e.type === type).map((e) => e.provider)
    expect(by('acquire_success')).toEqual(['acme'])
    expect(by('logged_out')).toEqual(['globex'])
    await expect(send.login()).rejects.toMatchObject({ code: 'no_tenant' })
    expect(() => send.manager).toThrow('login(), logout() and close()')
  })

  it('closes every tenant, including one that was evicted before', async () => {
    const tenant = new AsyncLocalStorage<string>()
    const { send, closed } = setUp(byTenant(tenant, 2))

    for (const name of ['a', 'b', 'c']) await tenant.run(name, () => send(resource))
    await settle()
    expect(closed()).toEqual(['a'])
    await send.close()

    expect(closed()).toEqual(['a', 'b', 'c'])
    await expect(tenant.run('a', () => send(resource))).rejects.toMatchObject({ code: 'closed' })
  })

  it('does not evict a tenant during a request', async () => {
    const tenant = new AsyncLocalStorage<string>()
    const open = deferred<void>()
    const { send, closed, authorizations } = setUp(byTenant(tenant, 1, open.promise))

    const requests = ['a', 'b', 'c'].map((name) => tenant.run(name, () => send(resource)))
    await settle()
    expect(closed()).toEqual([])
    open.resolve()
    await Promise.all(requests)
    await settle()

    expect(authorizations().sort()).toEqual(['a', 'b', 'c'])
    expect(closed()).toHaveLength(2)
  })

  it('does not evict a tenant during a background renewal', async () => {
    const renewal = deferred<void>()
    const acquired: string[] = []
    const clock = testClock()
    let tenant = 'a'
    const selector = perTenant(
      () => tenant,
      (name) => ({
        name,
        async acquire() {
          acquired.push(name)
          if (acquired.join() === 'a,a') await renewal.promise
          return { expiresAt: clock.now() + 60_000, apply() {} }
        },
      }),
      { maxTenants: 1 },
    )
    const { send, closed, events } = setUp(selector, { now: clock.now })

    await send(resource)
    clock.advance(48_000)
    await send(resource)
    tenant = 'b'
    await send(resource)
    await settle()
    expect(acquired).toEqual(['a', 'a', 'b'])
    expect(closed()).toEqual(['b'])

    renewal.resolve()
    await settle()
    const acquisitions = events.filter(({ type }) => type === 'acquire_success')
    expect(acquisitions.map(({ provider }) => provider)).toEqual(['a', 'b', 'a'])
    await send.close()
    expect(closed()).toEqual(['b', 'a'])
  })

  it('waits for the tenants that are being closed', async () => {
    const tenant = new AsyncLocalStorage<string>()
    const { send, closed } = setUp(byTenant(tenant, 1))

    await tenant.run('a', () => send(resource))
    await tenant.run('b', () => send(resource))
    await send.close()

    expect(closed().sort()).toEqual(['a', 'b'])
  })

  it('has a default limit if the selector sets none', async () => {
    const select = ({ url }: SelectionRequest) => ({
      key: url.searchParams.get('key') ?? '',
      provider: () => named('x'),
    })
    const { send, closed } = setUp({ name: 'byQuery', maxKept: 1, select })

    await send(`${resource}?key=a`)
    await send(`${resource}?key=b`)
    await settle()

    expect(closed()).toEqual(['x'])
    expect(() => setUp({ name: 'byQuery', maxKept: 0, select })).toThrow('maxKept')
  })
})

describe('a pool of managers', () => {
  it('keeps a manager whose login is not written yet, and closes it afterwards', async () => {
    const closed: string[] = []
    let flushes = 0
    const flush = async () => {
      flushes += 1
    }
    const idle = { pauseRenewals: () => {}, resumeRenewals: () => {} }
    const port = { ...idle, unsaved: true, flush }
    const member = (name: string, own: object) => () => {
      const close = async () => void closed.push(name)
      return { manager: { close }, port: own, uses: 0 } as never
    }
    const pool = new ManagerPool(1, () => new Error('closed'))
    pool.release(pool.lease('a', member('a', port)))
    const other = pool.lease('b', member('b', idle))
    await settle()
    expect([closed, flushes]).toEqual([[], 1])

    port.unsaved = false
    pool.release(other)
    expect(closed).toEqual(['a'])
  })

  it('waits on close() for managers that are already being closed', async () => {
    const flushed = deferred<void>()
    const member = (close: () => Promise<void>) => () =>
      ({ manager: { close }, port: { resumeRenewals: () => {} }, uses: 0 }) as never
    const pool = new ManagerPool(1, () => new Error('closed'))
    let isClosed = false

    pool.release(
      pool.lease(
        'a',
        member(() => flushed.promise),
      ),
    )
    pool.lease(
      'b',
      member(async () => {}),
    )
    const closing = pool.close().then(() => {
      isClosed = true
    })
    await settle()
    expect(isClosed).toBe(false)
    flushed.resolve()
    await closing

    expect(isClosed).toBe(true)
  })
})

describe('the record of a tenant', () => {
  const restoring = (name: string): CredentialProvider => ({
    name: 'saved',
    acquire: async () => ({
      record: { version: 1, provider: 'saved', obtainedAt: Date.now(), data: { name } },
      apply: ({ headers }) => headers.set('Authorization', name),
    }),
    restore: ({ data }) => ({
      apply: ({ headers }) => headers.set('Authorization', String(data['name'])),
    }),
  })

  it.each(['default / victim', 'default%20/%20victim', 'victim'])(
    'is not read by the account %j',
    async (account) => {
      const store = memoryStore()
      const tenants = perTenant(
        () => 'victim',
        () => restoring('of the victim'),
      )
      const victim = setUp(tenants, { store })
      await victim.send(resource)
      await victim.send.close()

      const { send, authorizations } = setUp(restoring('own'), { store, account })
      await send(resource)

      expect(authorizations()).toEqual(['own'])
      const keys = (await store.list()).filter((key) => key.startsWith(resource)).sort()
      expect(keys).toContain(`${resource} | default | victim`)
    },
  )
})

describe('a selector', () => {
  it.each<[string, () => unknown]>([
    ['returns nothing', () => undefined],
    ['returns a promise', () => Promise.reject(new Error('late'))],
    ['returns no key', () => ({ provider: named('a') })],
    ['returns an empty key', () => ({ key: '', provider: named('a') })],
  ])('that %s causes an error that says what to return', async (_what, select) => {
    const { send } = setUp({ name: 'byTool', select } as CredentialSelector)
    await expect(send(resource)).rejects.toMatchObject({
      code: 'configuration',
      option: 'byTool.select',
      message:
        'byTool: `select` must return { key, provider } synchronously, with a non-empty text as `key`.',
    })
  })

  it('without a name is rejected when it is passed', () => {
    const select = () => ({ key: 'a', provider: named('a') })
    expect(() => setUp({ select } as unknown as CredentialSelector)).toThrow(
      'The selector needs a `name`.',
    )
    expect(() => setUp({ name: '', select })).toThrow('The selector needs a `name`.')
  })

  it('receives the HTTP method and the URL, and the method and tool of an MCP message', async () => {
    const seen: SelectionRequest[] = []
    const { send } = setUp({
      name: 'spy',
      select(request) {
        seen.push(request)
        return { key: 'k', provider: named('x') }
      },
    })
    const post = (body: BodyInit) => send(resource, { method: 'POST', body })
    const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'pay' } }

    await post(JSON.stringify(call))
    await post(
      JSON.stringify({ jsonrpc: '2.0', id: 2, method: 'prompts/get', params: call.params }),
    )
    await post(JSON.stringify([call]))
    await post('{"jsonrpc":')
    await post(new TextEncoder().encode(JSON.stringify(call)))
    await send(`${resource}?x=1`)

    expect(seen.map(({ mcpMethod, toolName }) => [mcpMethod, toolName])).toEqual([
      ['tools/call', 'pay'],
      ['prompts/get', undefined],
      ...Array.from({ length: 4 }, () => [undefined, undefined]),
    ])
    expect(seen.map(({ method }) => method)).toEqual([...Array(5).fill('POST'), 'GET'])
    expect(seen.at(-1)?.url.search).toBe('?x=1')
  })

  it('can use a separate credential for a tool', async () => {
    const { send, authorizations } = setUp({
      name: 'byTool',
      select: ({ toolName }) =>
        toolName === 'pay'
          ? { key: 'pay', provider: () => named('payer') }
          : { key: 'rest', provider: () => named('reader') },
    })
    const callTool = (name: string) =>
      send(resource, {
        method: 'POST',
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name } }),
      })

    await callTool('pay')
    await callTool('look')

    expect(authorizations()).toEqual(['payer', 'reader'])
  })

  it('is called when the request is made, even if the body has not been read', async () => {
    let tenant = 'a'
    const { send, authorizations } = setUp(perTenant(() => tenant, named))

    const one = send(new Request(resource, { method: 'POST', body: '{}' }))
    tenant = 'b'
    await one

    expect(authorizations()).toEqual(['a'])
  })

  it('is not called for requests that are sent without a credential', async () => {
    const { send, events } = setUp(perTenant(() => '', named))

    await send('https://other.example.com/')
    await send('https://mcp.example.com/.well-known/oauth-protected-resource')

    expect(events.map((event) => 'target' in event && event.target)).toEqual([
      'https://other.example.com',
      'https://mcp.example.com/.well-known/oauth-protected-resource',
    ])
  })

  it('keeps the first provider of a key', async () => {
    let made = 0
    const { send, authorizations } = setUp({
      name: 'fickle',
      select: () => ({
        key: 'k',
        provider: () => {
          made += 1
          return named(`n${made}`)
        },
      }),
    })

    await send(resource)
    await send(resource)

    expect(authorizations()).toEqual(['n1', 'n1'])
  })
})
