import { AsyncLocalStorage } from 'node:async_hooks'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'
import { startBearerServer } from '../../examples/servers/bearer-server.ts'
import {
  apiKey,
  authorizedFetch,
  type Challenge,
  type CredentialProvider,
  perTenant,
  withCredentials,
} from '../../src/index.ts'
import { sdks } from '../support/sdk.ts'

describe('perTenant', () => {
  test('advisory CVE-2026-25536: sends each tenant’s own key, and one tenant’s failure touches no other', async () => {
    const server = await startApiKeyServer({
      kind: 'stateless',
      keys: { 'key-a': 'alice', 'key-b': 'bob' },
    })
    onTestFinished(() => server.close())
    const tenant = new AsyncLocalStorage<string>()
    const fetch = withCredentials(
      perTenant(
        () => tenant.getStore() ?? '',
        (name) => apiKey({ value: `key-${name}` }),
      ),
    ).fetch
    const statusFor = (name: string) =>
      tenant.run(name, async () => {
        const response = await fetch(server.url, { method: 'POST', body: '{}' })
        await response.text()
        return response.status
      })

    const statuses = await Promise.all(['a', 'nobody', 'b', 'a', 'nobody', 'b'].map(statusFor))

    expect(statuses.map((status) => status === 401)).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
    ])
    const keys = server.requests
      .filter(({ authenticated }) => authenticated)
      .map(({ headers }) => headers['x-api-key'])
    expect(keys.sort()).toEqual(['key-a', 'key-a', 'key-b', 'key-b'])
    await expect(fetch(server.url)).rejects.toMatchObject({ code: 'no_tenant' })
  })

  test('answers an event source without a tenant by a 401, so that it does not reconnect for ever', async () => {
    const server = await startApiKeyServer({ kind: 'sse', keys: { k: 'alice' } })
    onTestFinished(() => server.close())
    const provider = perTenant(
      () => '',
      () => apiKey({ value: 'k' }),
    )
    const [, sdk] = sdks
    const client = sdk?.client()
    const transport = sdk?.sse(server.url, { fetch: withCredentials(provider).fetch })
    if (client === undefined || transport === undefined) throw new Error('no SDK')

    await expect(client.connect(transport)).rejects.toThrow('401')
    await transport.close()
    expect(server.requests).toEqual([])
  })
})

describe('a provider that discovers', () => {
  test('sees the challenge of the first request before it acquires', async () => {
    const server = await startBearerServer({ tokens: { token: 'alice' } })
    onTestFinished(() => server.close())
    const seen: (readonly Challenge[])[] = []
    const provider: CredentialProvider = {
      name: 'discovering',
      discovers: true,
      async acquire({ challenges }) {
        seen.push(challenges)
        return { apply: ({ headers }) => headers.set('Authorization', 'Bearer token') }
      },
    }
    for (const sdk of sdks) {
      const client = sdk.client()
      await client.connect(sdk.streamable(server.url, { fetch: withCredentials(provider).fetch }))
      await client.callTool({ name: 'whoami' })
      await client.close()
    }

    expect(seen.map(([challenge]) => challenge?.parameters.get('realm'))).toEqual(
      sdks.map(() => 'example'),
    )
    // One refusal for each client: after it every request carries the credential.
    expect(server.requests.filter(({ status }) => status === 401)).toHaveLength(sdks.length)
  })

  test('is not asked at all by a server that wants nothing', async () => {
    const server = await startBearerServer({ tokens: () => ({ subject: 'anyone' }) })
    onTestFinished(() => server.close())
    const fetch = authorizedFetch(
      {
        name: 'discovering',
        discovers: true,
        acquire: () => Promise.reject(new Error('nobody asked for this')),
      },
      { resource: server.url },
    )
    const response = await fetch(`${server.origin}/elsewhere`, { method: 'POST', body: '{}' })
    expect(response.status).toBe(404)
  })
})
