import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { cleanText } from '../src/errors.ts'
import {
  ConfigurationError,
  CredentialError,
  DiscoveryError,
  isCredentialError,
  LoginRequiredError,
  StoreError,
} from '../src/index.ts'

describe('errors', () => {
  test('show of a server only its origin and path', () => {
    const error = new CredentialError('network', 'It is down.', {
      resource: 'https://user:password@mcp.example.com/mcp?key=value#part',
      remedy: 'Wait.',
    })
    expect(error.resource).toBe('https://mcp.example.com/mcp')
    expect(error.message).toBe('It is down. Wait.')
    expect(inspect(error)).not.toMatch(/password|value/)
    expect(new CredentialError('x', 'y', { resource: 'no URL' }).resource).toBe('<invalid URL>')
  })

  test.each([
    [new ConfigurationError('apiKey.value', 'm'), 'ConfigurationError', 'configuration'],
    [new LoginRequiredError('no_credential', 'm'), 'LoginRequiredError', 'login_required'],
    [new DiscoveryError('m'), 'DiscoveryError', 'discovery'],
    [new StoreError('get', 'm'), 'StoreError', 'store'],
    [new StoreError('lock', 'm'), 'StoreError', 'lock_timeout'],
  ])('%s has its name and code', (error, name, code) => {
    expect(error).toBeInstanceOf(CredentialError)
    expect(error).toMatchObject({ name, code, retryable: false })
    expect(isCredentialError(error)).toBe(true)
    expect(isCredentialError(error, code)).toBe(true)
    expect(isCredentialError(error, 'other')).toBe(false)
  })

  test('are recognised across copies of the package, and nothing else is', () => {
    const foreign = { [Symbol.for('mcp-credentials.error')]: true, code: 'network' }
    expect(isCredentialError(foreign, 'network')).toBe(true)
    for (const value of [undefined, null, 'error', new Error('network'), { code: 'network' }]) {
      expect(isCredentialError(value)).toBe(false)
    }
  })

  test('pass through the version negotiation of the SDK as they are', () => {
    expect(Symbol.for('mcp.authSeamEscape') in new CredentialError('x', 'y')).toBe(true)
  })
})

describe('foreign text', () => {
  test.each([
    ['a\r\nb\u0000c\u202ed', 'a b c d'],
    [
      'see https://user:pw@host/x?token=abc&y=1',
      'see https://host/x?token=<redacted>&y=<redacted>',
    ],
    [`key ${'A'.repeat(40)} ends`, 'key <redacted> ends'],
    ['eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2ln', '<redacted>'],
  ])('%j becomes %j', (text, expected) => {
    expect(cleanText(text)).toBe(expected)
  })

  test('is cut at 200 characters', () => {
    expect(cleanText('word '.repeat(100))).toHaveLength(200)
  })
})
