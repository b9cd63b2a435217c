import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import {
  apiKey,
  bearer,
  ConfigurationError,
  CredentialError,
  type CredentialProvider,
  custom,
} from '../../src/index.ts'
import { stdioEnvironment } from '../../src/mcp/stdio-environment.ts'

const resource = 'https://api.example.com'

async function failure(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('stdioEnvironment', () => {
  test('gives exactly the variables that were asked for', async () => {
    const values = {
      MCP_API_KEY: 'key-1',
      FROM_SOURCE: async () => 'key-2',
      ACCESS_TOKEN: bearer('token-1'),
    }

    expect(await stdioEnvironment(values, { resource })).toEqual({
      MCP_API_KEY: 'key-1',
      FROM_SOURCE: 'key-2',
      ACCESS_TOKEN: 'token-1',
    })
  })

  test('reads its sources anew each time', async () => {
    let reads = 0
    const values = {
      MCP_API_KEY: () => {
        reads += 1
        return `key-${reads}`
      },
    }

    expect(await stdioEnvironment(values)).toEqual({ MCP_API_KEY: 'key-1' })
    expect(await stdioEnvironment(values)).toEqual({ MCP_API_KEY: 'key-2' })
  })

  test('keeps line breaks and other characters that no header could carry', async () => {
    const pem = '-----BEGIN KEY-----\nπ\n-----END KEY-----\n'

    expect(await stdioEnvironment({ PRIVATE_KEY: pem })).toEqual({ PRIVATE_KEY: pem })
  })

  test('tells a provider what its token is for', async () => {
    let seen: string | undefined
    const provider: CredentialProvider = {
      name: 'recording',
      async acquire(context) {
        seen = context.resource.href
        return { apply: ({ headers }) => headers.set('Authorization', 'bearer token-1') }
      },
    }

    const values = await stdioEnvironment({ ACCESS_TOKEN: provider }, { resource })

    expect(values).toEqual({ ACCESS_TOKEN: 'token-1' })
    expect(seen).toBe('https://api.example.com/')
  })

  test('throws the error of a provider as it is', async () => {
    const error = new CredentialError('acquire_failed', 'No token today.')
    const provider = custom({ acquire: () => Promise.reject(error) })

    await expect(stdioEnvironment({ ACCESS_TOKEN: provider }, { resource })).rejects.toBe(error)
  })

  test('stops waiting when its signal is aborted', async () => {
    const controller = new AbortController()
    const provider: CredentialProvider = { name: 'slow', acquire: () => new Promise(() => {}) }
    const reason = new Error('enough')

    const reading = stdioEnvironment(
      { ACCESS_TOKEN: provider },
      { resource, signal: controller.signal },
    )
    controller.abort(reason)

    await expect(reading).rejects.toBe(reason)
  })

  test.each([
    ['a secret', () => Promise.reject(new CredentialError('secret_unavailable', 'No key today.'))],
    ['a provider', custom({ acquire: () => Promise.reject(new Error('No token today.')) })],
  ])('ends the other acquisitions when %s fails', async (_what, failing) => {
    const signals: AbortSignal[] = []
    const slow: CredentialProvider = {
      name: 'slow',
      acquire({ signal }) {
        signals.push(signal)
        return new Promise(() => {})
      },
    }
    const source = (options: { readonly signal?: AbortSignal | undefined }) => {
      if (options.signal !== undefined) signals.push(options.signal)
      return new Promise<string>(() => {})
    }
    const values = { FAILING: failing, ACCESS_TOKEN: slow, MCP_API_KEY: source }

    await expect(stdioEnvironment(values, { resource })).rejects.toThrow()

    expect(signals).toHaveLength(2)
    expect(signals.every(({ aborted }) => aborted)).toBe(true)
  })

  test('gives each secret the signal, and stops waiting for it', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let given: AbortSignal | undefined
    const source = ({ signal }: { readonly signal?: AbortSignal | undefined }) => {
      given = signal
      return new Promise<string>(() => {})
    }

    const reading = stdioEnvironment({ MCP_API_KEY: source }, { signal: controller.signal })
    controller.abort(reason)

    await expect(reading).rejects.toBe(reason)
    expect(given?.aborted).toBe(true)
  })

  test.each([
    'PATH',
    'Path',
    'NODE_OPTIONS',
    'NODE_TLS_REJECT_UNAUTHORIZED',
    'LD_PRELOAD',
    'DYLD_INSERT_LIBRARIES',
    'BASH_ENV',
    'PYTHONPATH',
    '__proto__',
  ])('refuses the name %s, which decides what the process does', async (name) => {
    const error = await failure(stdioEnvironment(JSON.parse(`{"${name}":"hidden-value"}`)))

    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ option: name })
    expect(inspect(error, { depth: 9 })).not.toContain('hidden-value')
  })

  test.each(['', 'A=B', 'A B', '1A', 'A-B', 'A\0'])('refuses the name %j', async (name) => {
    await expect(stdioEnvironment({ [name]: 'value' })).rejects.toThrow(ConfigurationError)
  })

  test.each([
    ['an empty value', ''],
    ['a value with a NUL character', 'hidden\0value'],
    ['a value that is missing', undefined],
  ])('refuses %s where it is written down', async (_what, value) => {
    const error = await failure(stdioEnvironment({ MCP_API_KEY: value as string }))

    expect(error).toBeInstanceOf(ConfigurationError)
    expect(error).toMatchObject({ option: 'MCP_API_KEY' })
    expect(inspect(error, { depth: 9 })).not.toContain('hidden')
  })

  test('refuses a NUL character from a source without showing the value', async () => {
    const error = await failure(stdioEnvironment({ MCP_API_KEY: () => 'hidden\0value' }))

    expect(error).toMatchObject({ code: 'secret_unavailable' })
    expect(String(error)).toContain('MCP_API_KEY contains a NUL character')
    expect(inspect(error, { depth: 9 })).not.toContain('hidden')
  })

  test('refuses a provider without a resource, and one without a bearer token', async () => {
    await expect(stdioEnvironment({ ACCESS_TOKEN: bearer('token-1') })).rejects.toMatchObject({
      option: 'resource',
      message: expect.stringContaining('ACCESS_TOKEN has a provider'),
    })
    await expect(
      stdioEnvironment({ ACCESS_TOKEN: apiKey({ value: 'key-1' }) }, { resource }),
    ).rejects.toMatchObject({ code: 'invalid_credential' })
  })

  test('refuses options that do not exist', async () => {
    await expect(
      stdioEnvironment({ MCP_API_KEY: 'key-1' }, { timeout: 1 } as object),
    ).rejects.toMatchObject({ option: 'stdioEnvironment.timeout' })
  })
})
