import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { CredentialError, LoginRequiredError } from '../../src/index.ts'
import { coolingError, toCredentialError } from '../../src/manager/failure.ts'

const resource = new URL('https://mcp.example.com/mcp')
const classify = (thrown: unknown, committed = false) =>
  toCredentialError(thrown, 'issuer', resource, committed)
const failed = (code: string, depth = 1) => {
  let cause: unknown = Object.assign(new Error('inner'), { code })
  for (let level = 1; level < depth; level += 1) cause = new Error('outer', { cause })
  return new TypeError('fetch failed', { cause })
}

/** The platform's error for a value that a header cannot contain, which quotes the value. */
function headersError(): Error {
  try {
    new Headers({ Authorization: 'Bearer s3cret\nnext' })
  } catch (error) {
    return error as Error
  }
  throw new Error('it was accepted')
}

describe('an error of a provider', () => {
  test.each([
    'ENOTFOUND',
    'EAI_AGAIN',
    'ECONNREFUSED',
    'ENETUNREACH',
    'EHOSTUNREACH',
    'UND_ERR_CONNECT_TIMEOUT',
    'CERT_HAS_EXPIRED',
  ])('with %s never reached the server, even after a grant was announced', (code) => {
    for (const committed of [false, true]) {
      expect(classify(failed(code), committed)).toMatchObject({ code: 'network', retryable: true })
    }
  })

  test('is recognized as a system error if one is among its causes', () => {
    expect(classify(failed('ECONNREFUSED', 3)).message).toContain('ECONNREFUSED')
  })

  test.each(['ECONNRESET', 'UND_ERR_SOCKET', 'UND_ERR_BODY_TIMEOUT'])(
    'with %s after a grant was sent leaves the outcome unknown',
    (code) => {
      expect(classify(failed(code), true)).toMatchObject({
        code: 'outcome_unknown',
        retryable: true,
        // It may have been the first request of a login.
        message: expect.stringContaining('the response to a token request was lost'),
      })
      expect(classify(failed(code), false)).toMatchObject({ code: 'network', retryable: true })
    },
  )

  test('with the name TimeoutError is a timeout', () => {
    const thrown = new DOMException('late', 'TimeoutError')
    expect(classify(thrown)).toMatchObject({ code: 'timeout', retryable: true })
  })

  test('that is a CredentialError is kept unchanged', () => {
    const own = new LoginRequiredError('no_credential', 'log in')
    expect(classify(own)).toBe(own)
  })

  test.each([[undefined], [null], ['text'], [42], [{}]])(
    'can be any value, such as %j',
    (thrown) => {
      expect(classify(thrown)).toMatchObject({ code: 'acquire_failed', retryable: true })
    },
  )

  test.each([
    ['of Headers', headersError()],
    ['of a provider', new Error('the token s3cret is not valid')],
    ['with a secret in its name', Object.assign(new Error('m'), { name: 's3cret in it' })],
    ['with a code', Object.assign(new Error('s3cret'), { code: 'ECONNRESET' })],
  ])('that is %s is described by its class and a remedy, not by its text', (_what, thrown) => {
    for (const committed of [false, true]) {
      const error = classify(thrown, committed)
      expect(inspect(error, { showHidden: true })).not.toContain('s3cret')
      expect(error.message).toMatch(/\((TypeError|Error)(, ECONNRESET)?\)/)
    }
    if ('code' in thrown) return
    expect(classify(thrown).message).toContain('Throw a CredentialError in the provider')
  })

  test('of other code is not kept as the cause, because it may contain a token', () => {
    const thrown = Object.assign(
      new Error('token=eyJhbGciOiJIUzI1NiJ9.e30.abcdefghijklmnopqrstuvwxyz'),
      {
        body: { access_token: 'secret' },
      },
    )
    const error = classify(thrown)
    expect(error.cause).toBeUndefined()
    expect(error.message).not.toContain('eyJ')
  })
})

describe('the error during a pause', () => {
  test('has the class, code and cause of the first error, and the time until the next attempt', () => {
    const first = new CredentialError('server_error', 'The issuer is down.', { retryable: true })
    const error = coolingError(first, 2500)
    expect(error).toBeInstanceOf(CredentialError)
    expect(error).toMatchObject({ code: 'server_error', retryAfter: 3, cause: first })
    expect(error.message).toBe(
      'The issuer is down. The next attempt is possible in 3 s; `login()` tries immediately.',
    )
    expect(first.retryAfter).toBeUndefined()
  })
})
