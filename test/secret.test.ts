import { EventEmitter } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { awsSigV4 } from '../src/aws/index.ts'
import {
  apiKey,
  basic,
  bearer,
  ConfigurationError,
  CredentialError,
  command,
  custom,
  env,
  file,
  firstAvailable,
  fromCommand,
  headers,
  hmac,
  httpSignature,
  jwt,
  LoginRequiredError,
  rotating,
} from '../src/index.ts'
import { describeSecret, readSecret } from '../src/secret.ts'
import { keychainEntry } from '../src/stores/keychain.ts'
import { isRunning } from './support/processes.ts'

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
    // It does not pass by itself, but the process may set it at any moment.
    await expect(env(name)()).rejects.toMatchObject({ retryable: false, retryAfter: 1 })
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

  test('does not hand on the key of the store', async () => {
    vi.stubEnv('MCP_CREDENTIALS_KEY', 'canary-key')
    vi.stubEnv('MCP_CREDENTIALS_KEY_FILE', 'canary-file')
    vi.stubEnv('OTHER', 'kept')
    onTestFinished(() => void vi.unstubAllEnvs())
    const names =
      'Object.keys(process.env).filter((name) => /^(MCP_CREDENTIALS|OTHER$)/.test(name))'
    expect(await command([process.execPath, '-p', `${names}.join()`])()).toBe('OTHER')
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

  test('refuses options that do not exist', () => {
    expect(() => command(['x'], { timeOut: 1 } as never)).toThrow(/timeOut/)
    expect(() => env('X', { files: '.env' } as never)).toThrow(/files/)
  })

  test('does not quote an argument that no program can be given', async () => {
    const error: unknown = await command(['x', 'cAnArY\0'])().catch((thrown: unknown) => thrown)
    expect(error).toMatchObject(unavailable('cannot be started', 'ERR_INVALID_ARG_VALUE'))
    expect(inspect(error, { showHidden: true })).not.toContain('cAnArY')
  })
})

describe.skipIf(process.platform === 'win32')(
  'a command that starts others',
  {
    timeout: 20_000,
  },
  () => {
    /** Starts a program that does nothing for a minute and notes its number; `then` is what the first one does. */
    function family(then: string) {
      const noted = join(folder(), 'grandchild')
      const source = `
      const { spawn } = require('node:child_process')
      const child = spawn(process.execPath, ['--eval', 'setTimeout(() => {}, 60_000)'], { stdio: 'inherit' })
      require('node:fs').writeFileSync(${JSON.stringify(noted)}, String(child.pid))
      ${then}`
      const isAtWork = () => existsSync(noted) && isRunning(readFileSync(noted, 'utf8'))
      onTestFinished(() => {
        if (isAtWork()) process.kill(Number(readFileSync(noted, 'utf8')), 'SIGKILL')
      })
      const started = () => vi.waitUntil(isAtWork, 10_000)
      return { argv: [process.execPath, '--eval', source], isAtWork, started }
    }

    test('is ended with them when it takes too long', async () => {
      const { argv, isAtWork, started } = family('setTimeout(() => {}, 60_000)')
      const reading = command(argv, { timeout: 2 })()
      await Promise.all([started(), expect(reading).rejects.toMatchObject(unavailable('2 s'))])
      await vi.waitUntil(() => !isAtWork(), 10_000)
    })

    test('is ended with them when nobody waits any more', async () => {
      const { argv, isAtWork, started } = family('setTimeout(() => {}, 60_000)')
      const controller = new AbortController()
      const reading = command(argv)({ signal: controller.signal })
      await started()
      const reason = new Error('given up')
      controller.abort(reason)
      await expect(reading).rejects.toBe(reason)
      await vi.waitUntil(() => !isAtWork(), 10_000)
    })

    test('delivers what it printed although one of them holds on to its output', async () => {
      const { argv, isAtWork } = family('console.log("token"); process.exit()')
      expect(await command(argv)()).toBe('token')
      expect(isAtWork()).toBe(true)
    })

    test('does not start at all when nobody waits', async () => {
      const { argv, isAtWork } = family('')
      const signal = AbortSignal.abort(new Error('given up'))
      await expect(command(argv)({ signal })).rejects.toThrow('given up')
      expect(isAtWork()).toBe(false)
    })
  },
)

test('a command’s last words are waited for, where this process was too busy to read them', async () => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const child = Object.assign(new EventEmitter(), {
    stdout: Object.assign(new EventEmitter(), { destroy: vi.fn() }),
  })
  const spawning = vi
    .spyOn(process, 'getBuiltinModule')
    .mockReturnValue({ spawn: () => child } as never)
  onTestFinished(() => spawning.mockRestore())

  const reading = command(['x'])()
  child.stdout.emit('data', Buffer.from('to'))
  child.emit('exit', 0)
  vi.advanceTimersByTime(100)
  child.stdout.emit('data', Buffer.from('ken'))
  await vi.advanceTimersByTimeAsync(1000)

  expect(await reading).toBe('token')
  expect(child.stdout.destroy).toHaveBeenCalled()
})

describe('a function as a secret', () => {
  const { signal } = new AbortController()

  test('receives the signal of the acquisition', async () => {
    const source = vi.fn(async () => 'value')
    expect(await readSecret('x.value', source, { signal })).toBe('value')
    expect(source).toHaveBeenCalledWith({ signal })
  })

  test.each([
    ['an error', new Error('cAnArY'), 'Error'],
    ['an error of a system', Object.assign(new Error('cAnArY'), { code: 'EACCES' }), 'EACCES'],
    ['a TypeError', new TypeError('cAnArY'), 'TypeError'],
    ['a text', 'cAnArY', 'string'],
  ])('that throws %s is named with its class, and not quoted', async (_what, thrown, expected) => {
    const failing = () => {
      throw thrown
    }
    const error: unknown = await readSecret('apiKey.value', failing, { signal }).catch((e) => e)
    expect(error).toMatchObject(unavailable('apiKey.value', expected, 'Throw a CredentialError'))
    expect(inspect(error, { showHidden: true })).not.toContain('cAnArY')
  })

  test('says more with an error of ours, which names the option', async () => {
    const failing = () => {
      throw new CredentialError('secret_unavailable', 'the vault is sealed.', { retryAfter: 5 })
    }
    await expect(readSecret('apiKey.value', failing, { signal })).rejects.toMatchObject({
      message: 'apiKey.value: the vault is sealed.',
      retryAfter: 5,
    })
  })

  test('may ask for a login', async () => {
    const error = new LoginRequiredError('no_credential', 'Log in to the vault.')
    const failing = () => Promise.reject(error)
    await expect(readSecret('apiKey.value', failing, { signal })).rejects.toBe(error)
  })

  test('fails with the reason of the signal once that aborted', async () => {
    const controller = new AbortController()
    const reason = new Error('given up')
    const failing = async () => {
      controller.abort(reason)
      throw new TypeError('terminated')
    }
    const reading = readSecret('x.value', failing, { signal: controller.signal })
    await expect(reading).rejects.toBe(reason)
  })
})

describe('the description of a secret', () => {
  test.each([
    ['value-1', 'a value in the code'],
    [env('MCP_API_KEY'), "env('MCP_API_KEY')"],
    [file('/run/secrets/mcp-api-key'), "file('/run/secrets/mcp-api-key')"],
    [command(['op', 'read', '--token=value-1']), "command(['op', …])"],
    [command(['print-token']), "command(['print-token'])"],
    [keychainEntry('my-agent', 'mcp.example.com'), "keychainEntry('my-agent', 'mcp.example.com')"],
    [() => 'value-1', 'a function'],
  ])('%s says where it comes from, and not what it is', (secret, expected) => {
    expect(describeSecret(secret)).toBe(expected)
  })

  test('names several sources once each', () => {
    const secrets = [env('A'), undefined, 'value-1', env('A'), 'value-2']
    expect(describeSecret(...secrets)).toBe("env('A') and a value in the code")
  })

  test.each([
    [apiKey({ value: env('KEY') }), "env('KEY')"],
    [bearer(file('/run/token')), "file('/run/token')"],
    [basic({ username: 'agent', password: env('PASSWORD') }), "env('PASSWORD')"],
    [headers({ 'X-A': env('A'), 'X-B': env('B') }), "env('A') and env('B')"],
    [hmac({ secret: env('SECRET') }), "env('SECRET')"],
    [fromCommand(['az', 'account', 'get-access-token']), "command(['az', …])"],
    [jwt({ algorithm: 'HS256', secret: env('SECRET') }), "env('SECRET')"],
    [
      httpSignature({ algorithm: 'hmac-sha256', secret: env('SECRET'), keyId: 'k' }),
      "env('SECRET')",
    ],
    [awsSigV4(), "env('AWS_SECRET_ACCESS_KEY')"],
    [rotating([apiKey({ value: env('A') }), apiKey({ value: env('B') })]), "env('A') and env('B')"],
    [
      firstAvailable(bearer(env('A')), custom({ acquire: async () => ({ apply() {} }) })),
      "env('A')",
    ],
    [custom({ acquire: async () => ({ apply() {} }) }), undefined],
  ])('is handed on by the provider %o', (provider, expected) => {
    expect(provider.source).toBe(expected)
  })
})
