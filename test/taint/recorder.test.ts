/** A planted leak is found in every channel and every encoding, so that silence means something. */
import { channel } from 'node:diagnostics_channel'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { CredentialError } from '../../src/index.ts'
import { makeCanaries } from './canary.ts'
import { type Recorder, startRecorder } from './recorder.ts'

function listening() {
  const found: string[] = []
  const canaries = makeCanaries()
  const recorder = startRecorder(canaries, (text) => found.push(text))
  onTestFinished(() => recorder.stop())
  const secret = canaries.mint('client secret', ['honest'], (value) => `+/é &${value}"\n:`)
  return { found, canaries, recorder, secret }
}

const base64 = (text: string) => Buffer.from(text).toString('base64')
const base64url = (text: string) => Buffer.from(text).toString('base64url')
const form = (text: string) => new URLSearchParams({ value: text }).toString()

describe('what a server receives', () => {
  test.each<[string, (secret: string) => string]>([
    ['as it is', (secret) => `body ${secret}`],
    ['percent-encoded', (secret) => `https://evil.example/?q=${encodeURIComponent(secret)}`],
    ['percent-encoded as a whole', (secret) => everyByte(secret)],
    ['percent-encoded twice', (secret) => encodeURIComponent(encodeURIComponent(secret))],
    ['as a form', (secret) => form(secret)],
    ['as a form inside a form', (secret) => form(form(secret))],
    ['in base64', (secret) => base64(secret)],
    ['in base64 after one byte', (secret) => base64(`a${secret}`)],
    ['in base64 after two bytes', (secret) => base64(`ab${secret}`)],
    ['in base64 after three characters', (secret) => `abc${base64(secret)}`],
    ['in base64url', (secret) => base64url(`??>${secret}`)],
    ['in base64 without padding', (secret) => base64(secret).replace(/=+$/, '')],
    ['in Basic credentials', (secret) => `Basic ${base64(`agent:${encodeURIComponent(secret)}`)}`],
    ['in the claims of a JWT', (secret) => `${base64url('{"alg":"none"}')}.${claims(secret)}.sig`],
    ['in JSON in a form', (secret) => form(JSON.stringify({ a: [secret] }))],
    ['with escapes of JSON', (secret) => escaped(secret)],
    ['in hexadecimal', (secret) => Buffer.from(secret).toString('hex')],
    ['with entities of HTML', (secret) => entities(secret)],
    ['cut off', (secret) => secret.slice(0, secret.indexOf('z') + 1)],
  ])('is found %s, unless it is its own', (_how, write) => {
    const { found, recorder, secret } = listening()

    recorder.received('honest', write(secret), 'honest')
    expect(found).toEqual([])

    recorder.received('hostile', write(secret), 'hostile')
    expect(found).toEqual(['hostile receives client secret 1 of honest'])
  })

  test('is found when the library has made the secret itself', () => {
    const { found, canaries, recorder } = listening()
    canaries.learn('verifier', 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk', ['honest'])

    recorder.received('wiki', form('dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'), 'wiki')

    expect(found).toEqual(['wiki receives verifier 2 of honest'])
  })

  test('is quiet where there is no secret', () => {
    const { found, recorder } = listening()

    recorder.received('hostile', `${base64('a text without one')} cnryz cnry99z`, 'hostile')

    expect(found).toEqual([])
  })
})

describe('what an application can read', () => {
  const nested = (secret: string) => new Error('outer', { cause: new Error(`inner ${secret}`) })
  test.each<[string, (secret: string) => unknown, string]>([
    ['a message', (secret) => new CredentialError('x', `no ${secret}`), 'the message of a call'],
    ['a cause', nested, 'the message of a call'],
    [
      'a remedy',
      (secret) => new CredentialError('x', 'no', { remedy: `do ${secret}` }),
      'the property remedy of a call',
    ],
    ['a member', (secret) => Object.assign(new Error('no'), { body: secret }), 'JSON of a call'],
    ['a hidden member', withHidden, 'inspect() of a call'],
    ['a stack', withStack, 'the stack of a call'],
    ['something that is no error', (secret) => ({ response: { secret } }), 'JSON of a call'],
    ['a text', (secret) => secret, 'the text of a call'],
  ])('is searched: %s of an error', (_what, make, where) => {
    const { found, recorder, secret } = listening()

    recorder.thrown(make(secret), 'a call')

    expect(found).toContain(`${where} shows client secret 1 of honest`)
  })

  test('is not searched: what a server wrote about an error, which is marked as untrusted', () => {
    const { found, recorder, secret } = listening()
    const error = Object.assign(new Error('no'), { serverDescription: secret })

    recorder.thrown(error, 'a call')
    expect(found).toEqual([])
    expect(error.serverDescription).toBe(secret)

    recorder.thrown(Object.assign(error, { description: secret }), 'a call')
    expect(found).toContain('JSON of a call shows client secret 1 of honest')
  })

  test.each<[string, (secret: string, recorder: Recorder) => unknown]>([
    ['an event', (secret, recorder) => recorder.published('an event', JSON.stringify({ secret }))],
    [
      'a message of diagnostics_channel',
      (secret) => channel('mcp-credentials').publish({ type: 'login', secret }),
    ],
    ['console.log', (secret) => console.log('look:', { secret })],
    ['console.error', (secret) => console.error(new Error(secret))],
    ['the output', (secret) => process.stderr.write(base64(secret))],
  ])('is searched: %s', (channelName, leak) => {
    const { found, recorder, secret } = listening()

    leak(secret, recorder)

    expect(found).toContain(`${channelName} shows client secret 1 of honest`)
  })

  test('is searched: a warning', async () => {
    const { found, secret } = listening()

    process.emitWarning(secret)
    await new Promise((resolve) => void process.nextTick(resolve))

    expect(found).toContain('a warning shows client secret 1 of honest')
  })

  test('is searched: files and their names, also in folders below', async () => {
    const { found, recorder, secret } = listening()
    const folder = await mkdtemp(join(tmpdir(), 'taint-recorder-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    await writeFile(join(folder, `record ${encodeURIComponent(secret)}`), base64(secret))

    await recorder.readFiles(folder)

    expect(found).toEqual([
      'the name of a file shows client secret 1 of honest',
      'a file shows client secret 1 of honest',
    ])
  })

  test('may show a scope, which only no other server may receive', () => {
    const { found, canaries, recorder } = listening()
    const scope = canaries.mint('scope', ['careless'])

    recorder.published('an event', scope)
    recorder.received('careless', scope, 'careless')
    expect(found).toEqual([])

    recorder.received('honest', scope, 'honest')
    expect(found).toEqual(['honest receives scope 2 of careless'])
  })
})

function everyByte(text: string): string {
  return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('')
}

function escaped(text: string): string {
  return [...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`).join('')
}

function entities(text: string): string {
  return [...text].map((each) => `&#${each.charCodeAt(0)};`).join('')
}

function claims(secret: string): string {
  return base64url(JSON.stringify({ sub: 'agent', secret }))
}

function withHidden(secret: string): Error {
  return Object.defineProperty(new Error('no'), 'response', { value: { body: [secret] } })
}

function withStack(secret: string): Error {
  const error = new Error('no')
  error.stack = `Error: no\n    at https://evil.example/?${secret}`
  return error
}
