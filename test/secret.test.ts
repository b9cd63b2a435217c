import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { ConfigurationError, command, env, file } from '../src/index.ts'

const name = 'MCP_CREDENTIALS_TEST_VARIABLE'

function setVariable(value: string | undefined): void {
  const before = process.env[name]
  onTestFinished(() => {
    if (before === undefined) delete process.env[name]
    else process.env[name] = before
  })
  if (value === undefined) delete process.env[name]
  else process.env[name] = value
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'secret-test-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

function written(text: string): string {
  const path = join(folder(), 'secret')
  writeFileSync(path, text)
  return path
}

const unavailable = (...parts: string[]) => ({
  code: 'secret_unavailable',
  message: expect.stringMatching(new RegExp(parts.join('.*'), 's')),
})

describe('env', () => {
  test('reads the variable each time', async () => {
    setVariable('one')
    const source = env(name)
    expect(await source()).toBe('one')
    process.env[name] = 'two'
    expect(await source()).toBe('two')
  })

  test('says which variable is not set or empty, and what to do', async () => {
    setVariable(undefined)
    await expect(env(name)()).rejects.toMatchObject(unavailable(name, 'not set', `Set ${name}`))
    process.env[name] = ''
    await expect(env(name)()).rejects.toMatchObject(unavailable(name, 'empty'))
  })

  test('reads a .env file where the variable is not set, and adds nothing to the environment', async () => {
    setVariable(undefined)
    const path = written(`# comment\n${name}="quoted value"\nOTHER=x\n`)
    expect(await env(name, { file: path })()).toBe('quoted value')
    expect(process.env[name]).toBeUndefined()
    process.env[name] = 'wins'
    expect(await env(name, { file: path })()).toBe('wins')
  })

  test('says when neither the variable nor the file has it', async () => {
    setVariable(undefined)
    const path = written('OTHER=x\n')
    await expect(env(name, { file: path })()).rejects.toMatchObject(unavailable(name, path))
    await expect(env(name, { file: '/nowhere/.env' })()).rejects.toMatchObject(
      unavailable('/nowhere/.env', 'ENOENT'),
    )
  })

  test.each([[''], ['A=B'], ['A\0']])('refuses the name %j', (bad) => {
    expect(() => env(bad)).toThrow(ConfigurationError)
  })
})

describe('file', () => {
  test.each([
    ['secret\n', 'secret'],
    ['secret\r\n', 'secret'],
    ['secret\n\n', 'secret\n'],
    ['secret', 'secret'],
  ])('takes %j as %j', async (text, expected) => {
    expect(await file(written(text))()).toBe(expected)
  })

  test('is read each time, so that a file that is replaced is picked up', async () => {
    const path = written('one')
    const source = file(path)
    expect(await source()).toBe('one')
    writeFileSync(path, 'two')
    expect(await source()).toBe('two')
  })

  test('says what is wrong with the file', async () => {
    await expect(file('/nowhere/secret')()).rejects.toMatchObject(
      unavailable('/nowhere/secret', 'ENOENT'),
    )
    await expect(file(written(''))()).rejects.toMatchObject(unavailable('empty'))
    await expect(file(folder())()).rejects.toMatchObject(unavailable('EISDIR'))
    expect(() => file('')).toThrow(ConfigurationError)
  })
})

describe('command', () => {
  const node = (source: string, options?: { timeout: number }) =>
    command([process.execPath, '--eval', source], options)

  test('takes what is printed, without the last line break', async () => {
    expect(await node('console.log("to" + "ken")')()).toBe('token')
  })

  test('closes standard input, so that a program which reads it ends', async () => {
    const source = 'process.stdin.on("end", () => console.log("ended")).resume()'
    expect(await node(source)()).toBe('ended')
  })

  test('passes its arguments on without a shell', async () => {
    const source = command([process.execPath, '-p', 'process.argv[1]', '$(echo no) `no` ; no'])
    expect(await source()).toBe('$(echo no) `no` ; no')
  })

  test.each([
    ['fails', 'process.exit(3)', 'exit status 3'],
    ['prints nothing', '', 'printed nothing'],
    ['prints too much', 'process.stdout.write("x".repeat(3 << 20))', 'more than 1 MB'],
  ])('says when the program %s', async (_what, source, expected) => {
    await expect(node(source)()).rejects.toMatchObject(unavailable(expected))
  })

  test('shows nothing of what the program printed when it fails', async () => {
    const error = await node(
      'console.log("s3cret"); console.error("s3cret"); process.exit(1)',
    )().catch((thrown: unknown) => String(thrown))
    expect(error).toContain('exit status 1')
    expect(error).not.toContain('s3cret')
  })

  test('ends a program that takes too long', async () => {
    await expect(node('setInterval(() => {}, 1000)', { timeout: 0.3 })()).rejects.toMatchObject(
      unavailable('0.3 s'),
    )
  })

  test('says when there is no such program, and refuses none at all', async () => {
    await expect(command(['no-such-program-here'])()).rejects.toMatchObject(
      unavailable('no-such-program-here', 'ENOENT'),
    )
    expect(() => command([])).toThrow(ConfigurationError)
    expect(() => command(['x'], { timeout: -1 })).toThrow(ConfigurationError)
  })
})
