import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { testMcpServer, testServers } from '../../src/testing/index.ts'
import { startSecretService } from '../support/secret-service.ts'

const main = join(import.meta.dirname, '../../dist/cli/main.js')

let folder: string
const children = new Set<ChildProcess>()
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cli-process-'))
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
  await rm(folder, { recursive: true, force: true, maxRetries: 10 })
})

/** The environment of a person who has nothing stored, and no display. */
function environment(more: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    HOME: folder,
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    MCP_CREDENTIALS_STORE: 'file',
    TERM: 'xterm',
    ...more,
  }
}

interface Started {
  readonly child: ChildProcess
  /** Everything that was written, to whatever stream. */
  output(): string
  stdout(): string
  write(text: string): void
  /** Waits until the output matches. */
  match(pattern: RegExp): Promise<RegExpExecArray>
  readonly code: Promise<number | null>
}

function started(child: ChildProcess): Started {
  children.add(child)
  const written = { stdout: '', all: '' }
  const watchers = new Set<() => void>()
  const wake = () => {
    for (const watch of watchers) watch()
    watchers.clear()
  }
  child.stdin?.on('error', () => {})
  child.stdout?.on('data', (chunk: Buffer) => {
    written.stdout += chunk.toString()
    written.all += chunk.toString()
    wake()
  })
  child.stderr?.on('data', (chunk: Buffer) => {
    written.all += chunk.toString()
    wake()
  })
  let isOver = false
  const code = new Promise<number | null>((resolve) =>
    child.once('close', (status) => {
      isOver = true
      resolve(status)
      wake()
    }),
  )
  return {
    child,
    output: () => written.all,
    stdout: () => written.stdout,
    write: (text) => void child.stdin?.write(text),
    async match(pattern) {
      for (;;) {
        const found = pattern.exec(written.all)
        if (found !== null) return found
        if (isOver) throw new Error(`It has ended: ${written.all}`)
        await new Promise<void>((resolve) => watchers.add(resolve))
      }
    },
    code,
  }
}

function start(argv: readonly string[], env: Readonly<Record<string, string>> = {}): Started {
  return started(spawn(process.execPath, [main, ...argv], { cwd: folder, env: environment(env) }))
}

/** Runs in a pseudo-terminal: what is written is typed, and what is read is what the screen shows. */
function startInTerminal(argv: readonly string[]): Started {
  const line = [process.execPath, main, ...argv].map((word) => `'${word}'`).join(' ')
  // It would be none columns wide, as no window is behind it.
  const command = `stty columns 100 rows 40; exec ${line}`
  const options = ['--quiet', '--flush', '--return', '--command', command, '/dev/null']
  return started(spawn('script', options, { cwd: folder, env: environment() }))
}

async function run(
  argv: readonly string[],
  input = '',
  env: Readonly<Record<string, string>> = {},
) {
  const running = start(argv, env)
  running.child.stdin?.end(input)
  return { code: await running.code, output: running.output(), stdout: running.stdout() }
}

/** The command lines of all processes that can be seen. */
async function commandLines(): Promise<string> {
  const numbers = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const read = (number: string) => readFile(`/proc/${number}/cmdline`, 'utf8').catch(() => '')
  return (await Promise.all(numbers.map(read))).join('\n')
}

/** Everything below the folder of the test. */
async function written(): Promise<string> {
  const names = await readdir(folder, { recursive: true })
  const read = (name: string) => readFile(join(folder, name), 'latin1').catch(() => '')
  return (await Promise.all(names.map(read))).join('\n')
}

async function recordCount(): Promise<number> {
  const names = await readdir(join(folder, 'data'), { recursive: true }).catch(() => [])
  return names.filter((name) => /records\/[^/]+$/.test(name) && !name.endsWith('locks')).length
}

const authorizeUrl = /http:\/\/\S+\/authorize\?[\w%.~+&=-]+/
const secrets = /canary|access-[0-9a-f-]{36}|refresh-[0-9a-f-]{36}/

async function callbackOf(url: string): Promise<string> {
  const response = await fetch(url, { redirect: 'manual' })
  return response.headers.get('location') ?? ''
}

describe('the built command in pipes', () => {
  test('stores a key, uses it, shows nothing of it, and deletes it', async () => {
    const server = await testMcpServer({ bearer: 'canary-token' })
    const { href } = server.url
    const stored = await run(['set', href, '--bearer'], 'canary-token\n')
    expect([stored.code, stored.stdout]).toEqual([0, `Stored for ${href}.\n`])
    const status = await run(['status', href, '--verbose'])
    expect([status.code, status.output]).toEqual([0, expect.stringContaining('one tool')])
    const list = await run(['list'])
    expect(list.stdout).toMatch(/default +bearer token/)
    expect(`${stored.output}${status.output}${list.output}${await written()}`).not.toMatch(secrets)
    expect((await run(['token', href])).stdout).toBe('canary-token\n')
    const headers = await run(['headers', href])
    expect(JSON.parse(headers.stdout)).toEqual({ authorization: 'Bearer canary-token' })
    expect((await run(['logout', href])).code).toBe(0)
    expect((await run(['status', href])).code).toBe(3)
    await server.close()
  })

  test('logs in with an address that is pasted, while standard input stays open', async () => {
    const servers = await testServers()
    const { href } = servers.resource
    const running = start(['login', href, '--no-browser'])
    const [url] = await running.match(authorizeUrl)
    expect(await commandLines()).not.toContain(new URL(url).searchParams.get('state'))
    running.write(`${await callbackOf(url)}\n`)
    expect(await running.code).toBe(0)
    expect(running.stdout()).toMatch(
      /^Logged in to .* renewed automatically with a refresh token\.\n$/,
    )
    expect(await recordCount()).toBeGreaterThan(0)
    expect(`${running.output()}${await written()}`).not.toMatch(secrets)
    servers.mcp.expireTokens()
    expect((await run(['status', href])).code).toBe(0)
    await servers.close()
  })

  test('opens no browser and prints the address where there is no display', async () => {
    const servers = await testServers()
    const running = start(['login', servers.resource.href])
    const [url] = await running.match(authorizeUrl)
    await servers.authorizationServer.visit(new URL(url))
    expect(await running.code).toBe(0)
    await servers.close()
  })

  test('opens the browser where there is a display', async () => {
    const servers = await testServers()
    const browser = join(folder, 'browser')
    const visit = 'fetch(process.argv[1]).then((page) => page.text())'
    await writeFile(browser, `#!/bin/sh\nexec '${process.execPath}' -e '${visit}' "$1"\n`, {
      mode: 0o700,
    })
    // No browser of this machine is the default one.
    await writeFile(join(folder, 'xdg-mime'), '#!/bin/sh\n', { mode: 0o700 })
    const PATH = `${folder}:${process.env['PATH']}`
    const env = { DISPLAY: ':99', BROWSER: browser, PATH }
    const running = start(['login', servers.resource.href], env)
    expect(await running.code).toBe(0)
    expect(running.output()).toContain('Log in with the browser that opens')
    expect(running.output()).toMatch(authorizeUrl)
    expect(running.stdout()).toMatch(/^Logged in to/)
    await servers.close()
  })

  test('prints the address when no browser can be opened', async () => {
    const servers = await testServers()
    const env = { DISPLAY: ':99', PATH: '/nonexistent' }
    const running = start(['login', servers.resource.href], env)
    const [url] = await running.match(authorizeUrl)
    await running.match(/No browser could be opened\./)
    await servers.authorizationServer.visit(new URL(url))
    expect(await running.code).toBe(0)
    await servers.close()
  })

  test('prints its version without loading anything else of the package', async () => {
    const loader = join(folder, 'loader.mjs')
    const load = `export const load = (url, context, next) => {
      if (url.startsWith('file:')) process._rawDebug('loaded ' + url)
      return next(url, context)
    }`
    await writeFile(loader, load)
    const register = `import { register } from 'node:module'; register(${JSON.stringify(pathToFileURL(loader).href)})`
    const NODE_OPTIONS = `--import=data:text/javascript,${encodeURIComponent(register)}`
    const { code, stdout, output } = await run(['--version'], '', { NODE_OPTIONS })
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^\d+\.\d+\.\d+\n$/)])
    const loaded = [...output.matchAll(/loaded \S+\/dist\/(\S+)/g)].map(([, name]) => name)
    expect(loaded).toEqual(['cli/main.js'])
  })

  test('ends without a word when nobody reads what it prints', async () => {
    const running = start(['--help'])
    running.child.stdout?.destroy()
    await running.code
    expect(running.output()).not.toContain('EPIPE')
  })

  test('says what is wrong with the store in a sentence', async () => {
    const { code, output } = await run(['list'], '', { MCP_CREDENTIALS_KEY: 'canary' })
    expect([code, output]).toEqual([2, expect.stringContaining('MCP_CREDENTIALS_KEY must be')])
    const none = await run(['list'], '', {
      MCP_CREDENTIALS_STORE: 'keychain',
      DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent',
    })
    expect([none.code, none.output]).toEqual([6, expect.stringContaining('MCP_CREDENTIALS_STORE')])
    expect(`${output}${none.output}`).not.toMatch(/canary|\n +at /)
  })
})

describe('the built command in a terminal', () => {
  test('asks for a secret without showing it', async () => {
    const server = await testMcpServer({ apiKey: 'canary-key' })
    const { href } = server.url
    const running = startInTerminal(['set', href, '--header', 'X-API-Key'])
    await running.match(/Value of X-API-Key/)
    running.write('canary-key\r')
    expect(await running.code).toBe(0)
    expect(running.output()).not.toContain('canary')
    expect((await run(['status', href])).code).toBe(0)
    const refused = startInTerminal(['headers', href])
    expect(await refused.code).toBe(2)
    expect(refused.output()).not.toContain('canary')
    await server.close()
  })

  test('leaves a prompt on Ctrl-C with the exit code of shells', async () => {
    const running = startInTerminal(['set', 'https://mcp.example.com/mcp', '--bearer'])
    await running.match(/Token/)
    running.write('\u0003')
    expect(await running.code).toBe(130)
    expect(await recordCount()).toBe(0)
  })

  /** Types answers to the prompts before, and then Ctrl-C. */
  async function interruptedAt(
    running: Started,
    prompts: readonly (readonly [prompt: RegExp, answer: string])[],
  ): Promise<number | null> {
    for (const [prompt, answer] of prompts) {
      await running.match(prompt)
      running.write(answer)
    }
    return running.code
  }

  const end = '\u0003'
  const server = 'https://mcp.example.com/mcp'
  test.each([
    ['a key', ['set', server, '--header', 'X-A'], [[/Value of X-A/, end]]],
    [
      'the second of two keys',
      ['set', server, '--header', 'X-A', '--header', 'X-B'],
      [
        [/Value of X-A/, 'canary-a\r'],
        [/Value of X-B/, end],
      ],
    ],
    ['a password', ['set', server, '--basic', 'ada'], [[/Password/, end]]],
    ['a signing key', ['set', server, '--hmac'], [[/Secret/, end]]],
    ['a half-typed secret', ['set', '--secret', 'a'], [[/Value of the secret/, `canary${end}`]]],
  ] as const)('stores nothing when Ctrl-C is typed instead of %s', async (_what, argv, prompts) => {
    const running = startInTerminal(argv)
    expect(await interruptedAt(running, prompts)).toBe(130)
    expect(running.output()).not.toContain('canary')
    // The cursor is shown again.
    expect(running.output().lastIndexOf('\u001b[?25h')).toBeGreaterThanOrEqual(
      running.output().lastIndexOf('\u001b[?25l'),
    )
    expect(await recordCount()).toBe(0)
  })

  test.each([
    ['the client', [[/Client ID/, end]]],
    [
      'the agreement to the authorization server',
      [
        [/Client ID/, 'agent\r'],
        [/Send the client secret to/, end],
      ],
    ],
    [
      'the secret of the client',
      [
        [/Client ID/, 'agent\r'],
        [/Send the client secret to/, 'y'],
        [/Client secret/, `canary${end}`],
      ],
    ],
  ] as const)('stores nothing when a login is ended at %s', async (_what, prompts) => {
    const servers = await testServers()
    const argv = ['login', servers.resource.href, '--grant', 'client-credentials']
    const running = startInTerminal(argv)
    expect(await interruptedAt(running, prompts)).toBe(130)
    expect(running.output()).not.toContain('canary')
    expect(
      servers.authorizationServer.requests.filter(({ url }) => url.pathname === '/token'),
    ).toEqual([])
    expect(await recordCount()).toBe(0)
    await servers.close()
  })

  test('logs in as a client whose secret is typed', async () => {
    const servers = await testServers()
    const argv = ['login', servers.resource.href, '--grant', 'client-credentials']
    const running = startInTerminal(argv)
    const answers = [
      [/Client ID/, 'agent\r'],
      [/Send the client secret to/, 'y'],
      [/Client secret/, 'canary-secret\r'],
    ] as const
    expect(await interruptedAt(running, answers)).toBe(0)
    expect(running.output()).toContain('with the secret of the client agent')
    servers.mcp.expireTokens()
    expect((await run(['status', servers.resource.href])).code).toBe(0)
    expect(`${running.output()}${await written()}`).not.toMatch(secrets)
    await servers.close()
  })

  test('leaves nothing behind when a login is ended with Ctrl-C', async () => {
    const servers = await testServers()
    const running = startInTerminal(['login', servers.resource.href, '--no-browser'])
    const [url] = await running.match(authorizeUrl)
    await running.match(/Paste the URL/)
    running.write('\u0003')
    expect(await running.code).toBe(130)
    expect(await recordCount()).toBe(0)
    await expect(fetch(await callbackOf(url))).rejects.toThrow()
    await servers.close()
  })

  test('takes an address that is pasted', async () => {
    const servers = await testServers()
    const running = startInTerminal(['login', servers.resource.href])
    const [url] = await running.match(authorizeUrl)
    running.write(`${await callbackOf(url)}\n`)
    expect(await running.code).toBe(0)
    expect(running.output()).toContain('Logged in to')
    expect(running.output()).not.toMatch(secrets)
    await servers.close()
  })
})

describe('the built command with a keychain', () => {
  test('keeps a login in it, and nothing in files', async () => {
    const keychain = await startSecretService()
    const env = Object.fromEntries(
      ['DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR'].map((name) => [
        name,
        keychain.env[name] ?? '',
      ]),
    )
    const options = { ...env, MCP_CREDENTIALS_STORE: '' }
    const servers = await testServers()
    const { href } = servers.resource
    const running = start(['login', href, '--no-browser'], options)
    await servers.authorizationServer.visit(new URL((await running.match(authorizeUrl))[0]))
    expect(await running.code).toBe(0)
    expect((await run(['set', '--secret', 'files.key'], 'canary-3', options)).code).toBe(0)
    const list = await run(['list'], '', options)
    expect(list.output).toContain('The keychain of this user')
    expect(list.stdout).toMatch(/^files\.key +\d/m)
    expect(list.stdout).toMatch(/default +login +mcp/)
    expect(await recordCount()).toBe(0)
    expect((await run(['status', href], '', options)).code).toBe(0)
    expect((await run(['logout', href], '', options)).stdout).toContain('has revoked it')
    const tokens = '{"access_token":"canary-1","refresh_token":"canary-2"}'
    const write = `import('keytar').then(({ default: keytar }) => keytar.setPassword('old-agent', '${href}', '${tokens}'))`
    const root = join(import.meta.dirname, '../..')
    const keychainEnv = environment(options)
    const writer = started(spawn(process.execPath, ['-e', write], { cwd: root, env: keychainEnv }))
    expect(await writer.code, writer.output()).toBe(0)
    const argv = ['import', '--keytar', 'old-agent', '--client-id', 'old', '--write']
    const imported = await run(argv, '', options)
    expect(imported.output).toContain(`old-agent: ${href}`)
    expect(imported.output).toMatch(/its authorization server was not stored; add --issuer URL/i)
    const issuer = ['--issuer', servers.authorizationServer.issuer]
    const second = await run([...argv, ...issuer], '', options)
    expect([second.code, second.output]).toEqual([0, expect.stringContaining(`Stored for ${href}`)])
    expect(`${imported.output}${second.output}`).not.toMatch(secrets)
    expect((await run(['list'], '', options)).stdout).toMatch(/default +login/)
    await servers.close()
    await keychain.stop()
  })
})

describe('trust in a terminal', () => {
  test('asks before a file of the project is trusted', async () => {
    const config = { mcpServers: { files: { command: 'node', args: ['server.js'] } } }
    await writeFile(join(folder, '.mcp.json'), JSON.stringify(config))
    const declined = startInTerminal(['trust'])
    await declined.match(/Trust this file/)
    declined.write('\r')
    expect(await declined.code).toBe(1)
    const agreed = startInTerminal(['trust'])
    await agreed.match(/Trust this file/)
    expect(agreed.output()).toContain('runs `node server.js`')
    agreed.write('y')
    expect(await agreed.code).toBe(0)
  })
})

describe('exec', () => {
  const child = `
    process.on('SIGTERM', () => process.exit(process.env.API_KEY === 'can' + 'ary-secret' ? 7 : 1))
    setInterval(() => {}, 1000)
    process.stdout.write('ready')`

  test('passes signals on, and keeps secrets off every command line', async () => {
    const config = { mcpServers: { files: { command: 'x', env: { API_KEY: `\${SECRET}` } } } }
    await writeFile(join(folder, '.mcp.json'), JSON.stringify(config))
    expect((await run(['trust', '--yes'])).code).toBe(0)
    const argv = ['exec', 'files', '--', process.execPath, '-e', child]
    const running = start(argv, { SECRET: 'canary-secret' })
    await running.match(/ready/)
    expect(await commandLines()).not.toContain('canary')
    running.child.kill('SIGTERM')
    expect(await running.code).toBe(7)
  })
})
