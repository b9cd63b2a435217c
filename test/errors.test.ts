import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { describeThrown } from '../src/errors.ts'
import {
  ConfigurationError,
  CredentialError,
  DiscoveryError,
  isCredentialError,
  LoginRequiredError,
  StoreError,
} from '../src/index.ts'
import {
  cleanText,
  commandArgument,
  recordLabel,
  resourceLabel,
  serverLabel,
  serverText,
} from '../src/labels.ts'

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

  test('put a full stop between what happened and what to do', () => {
    const message = (text: string) => new CredentialError('x', text, { remedy: 'Wait.' }).message
    expect(message('It is down')).toBe('It is down. Wait.')
    expect(message('It is down.')).toBe('It is down. Wait.')
    expect(message('Is it down?')).toBe('Is it down? Wait.')
    expect(new CredentialError('x', 'It is down').message).toBe('It is down')
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

  test.each([
    new CredentialError('network', 'm'),
    new ConfigurationError('apiKey.value', 'm'),
    new LoginRequiredError('no_credential', 'm'),
    new LoginRequiredError('no_credential', 'm', { scope: 'not\na scope' }),
    new DiscoveryError('m'),
    new StoreError('get', 'm'),
    new StoreError('lock', 'm'),
  ])('%s is printed without members that say nothing', (error) => {
    expect(inspect(error, { showHidden: true })).not.toContain('undefined')
  })

  test('are recognised across copies of the package, and nothing else is', () => {
    const foreign = { [Symbol.for('mcp-credentials.error')]: true, code: 'network' }
    expect(isCredentialError(foreign, 'network')).toBe(true)
    for (const value of [undefined, null, 'error', new Error('network'), { code: 'network' }]) {
      expect(isCredentialError(value)).toBe(false)
    }
  })

  test('name the tenant that they concern', () => {
    expect(new CredentialError('network', 'm', { tenant: 'acme' }).tenant).toBe('acme')
    expect(new CredentialError('network', 'm').tenant).toBeUndefined()
  })

  test('shorten a capability in the path of the server', () => {
    const resource = 'https://mcp.example.com/s/NmE0ZjY1Zjk4ZDc3/mcp'
    const error = new CredentialError('network', 'm', { resource })
    expect(error.resource).toBe('https://mcp.example.com/s/NmE0…/mcp')
  })

  test('pass through the version negotiation of the SDK as they are', () => {
    expect(Symbol.for('mcp.authSeamEscape') in new CredentialError('x', 'y')).toBe(true)
  })
})

describe('the label of a server', () => {
  const label = (path: string) => resourceLabel(`https://mcp.example.com${path}`).slice(23)

  test.each([
    ['/s/NmE0ZjY1Zjk4ZDc3/mcp', '/s/NmE0…/mcp'],
    ['/s/4f2a9c1e7b3d5f60', '/s/4f2a…'],
    ['/s/sk-live-4f2a9c1e7b3d5f60/mcp', '/s/sk-l…/mcp'],
    ['/6f1c1f0e-6b0a-4b6e-9a55-3d6f2c1b0a99/mcp', '/6f1c…/mcp'],
    ['/qwertyuiopasdfghjklzxcvbnmqwertyu/mcp', '/qwer…/mcp'],
    ['/s/%4E%6D%45%30ZjY1Zjk4ZDc3/mcp', '/s/NmE0…/mcp'],
    ['/s/t%2FNmE0ZjY1Zjk4ZDc3', '/s/t%2FNm…'],
    ['/s/%E0NmE0ZjY1Zjk4ZDc3', '/s/%E0N…'],
  ])('shortens what looks like a token in %s', (path, expected) => {
    expect(label(path)).toBe(expected)
  })

  test.each([
    '/mcp',
    '/v1/organizations/acme-corporation/servers/weather-forecast-2026/mcp',
    '/release-2026-11-25/mcp-server-v2',
    '/a-rather-long-name-of-a-documentation-page/sse',
    '/modelcontextprotocolserver/mcp',
    '/20261125/1234567890',
  ])('leaves words and numbers in %s as they are', (path) => {
    expect(label(path)).toBe(path)
  })

  test('is not the text that tells servers apart', () => {
    const [one, other] = ['NmE0ZjY1Zjk4ZDc3', 'NmE0ZjY1Zjk4ZDc4'].map(
      (token) => new URL(`https://user:pw@mcp.example.com/s/${token}/mcp?x=1#y`),
    ) as [URL, URL]
    expect(resourceLabel(one)).toBe(resourceLabel(other))
    expect(serverText(one)).toBe('https://mcp.example.com/s/NmE0ZjY1Zjk4ZDc3/mcp?x=1')
    expect(serverText(one)).not.toBe(serverText(other))
  })

  test('tells servers apart by their query, in any order of its parameters', () => {
    const text = (query: string) => serverText(new URL(`https://mcp.example.com/mcp${query}`))
    expect(text('?b=2&a=1')).toBe(text('?a=1&b=2#top'))
    expect(text('?a=1')).not.toBe(text('?a=2'))
    expect(text('?')).toBe(text(''))
    expect(text('?a=x%20y')).toBe(text('?a=x+y'))
  })

  test('shows plain words of a query, and nothing that may be a secret', () => {
    const key =
      'https://h.example/mcp?api_key=canary&id=a8Xk29sLmQ&sk-canary-1a2b3c=&tenant=ada | default'
    const shown = 'https://h.example/mcp?api_key=…&id=…&…&tenant=ada'
    expect(recordLabel(key)).toBe(`${shown} | default`)
    expect(serverLabel(key.split(' ')[0] ?? '')).toBe(shown)
    expect(commandArgument('https://h.example/mcp?tenant=a%27;id')).toBe(
      "'https://h.example/mcp?tenant=…'",
    )
  })

  test('shortens the key of a record too, and keeps its names', () => {
    expect(recordLabel('https://mcp.example.com/s/NmE0ZjY1Zjk4ZDc3 | default')).toBe(
      'https://mcp.example.com/s/NmE0… | default',
    )
  })
})

describe('what foreign code threw', () => {
  test.each([
    [new TypeError('s3cret'), 'TypeError'],
    [Object.assign(new Error('s3cret'), { code: 'ECONNRESET' }), 'Error, ECONNRESET'],
    [new TypeError('s3cret', { cause: { code: 'ENOTFOUND' } }), 'TypeError, ENOTFOUND'],
    [Object.assign(new Error('m'), { name: 's3cret in a name' }), 'Error'],
    [Object.assign(new Error('m'), { code: 's3cret' }), 'Error'],
    ['s3cret', 'string'],
    [undefined, 'undefined'],
  ])('is described without its text: %#', (thrown, expected) => {
    expect(describeThrown(thrown)).toBe(expected)
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
    ['GET https://h.example/s/NmE0ZjY1Zjk4ZDc3/mcp', 'GET https://h.example/s/NmE0…/mcp'],
  ])('%j becomes %j', (text, expected) => {
    expect(cleanText(text)).toBe(expected)
  })

  test('is cut at 200 characters', () => {
    expect(cleanText('word '.repeat(100))).toHaveLength(200)
  })
})

test('an error shows no member that says nothing', () => {
  const error = new CredentialError('network', 'It is down.', { status: 503 })
  expect(inspect(error)).not.toContain('undefined')
  expect(JSON.stringify(error)).not.toContain('undefined')
  expect(Object.keys(error).sort()).toEqual(['code', 'name', 'retryable', 'status'])
  expect(error.serverDescription).toBeUndefined()
})

test('a description of a server is cleaned, shortened and no part of the message', () => {
  const error = new CredentialError('network', 'It is down.', {
    serverDescription: `a\u202eb\u001b[2J ${'word '.repeat(100)}`,
  })
  expect(error.serverDescription).toMatch(/^a b \[2J word/)
  expect(error.serverDescription).toHaveLength(200)
  expect(error.message).toBe('It is down.')
  expect(
    new CredentialError('x', 'y', { serverDescription: ' ' }).serverDescription,
  ).toBeUndefined()
})

test('a label is short, whatever path a server wrote', () => {
  const label = resourceLabel(`https://mcp.example.com/${'a/'.repeat(80_000)}`)
  expect(label).toMatch(/^https:\/\/mcp\.example\.com\/a\/.*…$/)
  expect(label.length).toBeLessThanOrEqual(250)
})
