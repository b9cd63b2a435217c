import { execFileSync, spawn } from 'node:child_process'
import { chmod, copyFile, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BuildOptions, build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type SecretService, startSecretService } from '../support/secret-service.ts'

const root = new URL('../..', import.meta.url).pathname

/** An application that notes each of its starts, and gives up where it is started again and again. */
const source = `
  import { appendFileSync, readFileSync } from 'node:fs'
  import { keychainStore } from 'mcp-credentials/keychain'

  async function main() {
    const { STARTS, SERVICE, LOCKS, TIMEOUT = '20', STEP = 'write' } = process.env
    appendFileSync(STARTS, process.pid + '\\n')
    if (readFileSync(STARTS, 'utf8').split('\\n').length > 4) process.exit(9)
    const store = keychainStore({ service: SERVICE, directory: LOCKS, timeout: Number(TIMEOUT) })
    const name = 'https://mcp.example.com/mcp | default'
    const record = { version: 1, provider: 'test', data: { accessToken: 'a' } }
    try {
      if (STEP === 'write') {
        await store.lock(name, () => store.set(name, record))
        console.log(JSON.stringify([await store.get(name), await store.get('none'), await store.list()]))
      } else {
        console.log(JSON.stringify(await store.get(name)))
      }
    } catch (error) {
      console.log(error.name + ': ' + error.message)
    }
  }
  void main()
`
const written = [
  { version: 1, provider: 'test', data: { accessToken: 'a' } },
  null,
  ['https://mcp.example.com/mcp | default'],
]

/** Outside of the repository, so that packages are found only where an application would have them. */
let folder: string
let session: SecretService

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'keychain-artefacts-'))
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
  session = await startSecretService()
})
afterAll(async () => {
  await session.stop()
  await rm(folder, { recursive: true, force: true })
})

async function bundle(file: string, options: BuildOptions): Promise<string> {
  const outfile = join(folder, file)
  await build({
    stdin: { contents: source, resolveDir: root },
    bundle: true,
    platform: 'node',
    logLevel: 'error',
    outfile,
    ...options,
  })
  return outfile
}

const external = ['keytar', 'fs-native-extensions']
const esm = () => bundle('app.mjs', { format: 'esm', external })
const commonJs = () => bundle('app.cjs', { format: 'cjs' })
/** With the usual substitute for the URL of the module, and without. */
const withUrl = () =>
  bundle('app-with-url.cjs', {
    format: 'cjs',
    external,
    define: { 'import.meta.url': 'moduleUrl' },
    banner: { js: `const moduleUrl = require('node:url').pathToFileURL(__filename).href;` },
  })

/** A copy of this Node with the application in it. */
async function executable(bundled: string): Promise<string> {
  const blob = `${bundled}.blob`
  const config = `${bundled}.json`
  const file = `${bundled}.exe`
  await writeFile(
    config,
    JSON.stringify({ main: bundled, output: blob, disableExperimentalSEAWarning: true }),
  )
  execFileSync(process.execPath, ['--experimental-sea-config', config], { stdio: 'ignore' })
  await copyFile(process.execPath, file)
  await chmod(file, 0o755)
  const fuse = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2'
  const postject = ['exec', '--yes', '--package=postject@1.0.0-alpha.6', '--', 'postject']
  const inject = [file, 'NODE_SEA_BLOB', blob, '--sentinel-fuse', fuse]
  execFileSync('npm', [...postject, ...inject], { stdio: 'ignore' })
  return file
}

let count = 0

/** Runs an application, and returns what it printed and how often it was started. */
async function run(
  command: readonly [string, ...string[]],
  env: Readonly<Record<string, string>> = {},
) {
  count += 1
  const starts = join(folder, `starts-${count}`)
  const [file, ...args] = command
  const child = spawn(file, args, {
    env: {
      ...session.env,
      NODE_OPTIONS: '',
      STARTS: starts,
      SERVICE: `artefact-${count}`,
      LOCKS: join(folder, 'locks'),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  let errors = ''
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    errors += chunk
  })
  const code = await new Promise((resolve) => child.once('close', resolve))
  const pids = await readFile(starts, 'utf8').catch(() => '')
  return { code, output, errors, starts: pids.trim().split('\n').length }
}

async function expectToWork(command: readonly [string, ...string[]], env = {}) {
  const { code, output, errors, starts } = await run(command, env)
  // Node warns, in three lines, that the packages in a single executable cannot be required.
  const complaints = errors.replace(
    /^.*(?:Warning: |single executable|single-exec|--trace-warn).*\n/gm,
    '',
  )
  expect({ code, starts, complaints }).toEqual({ code: 0, starts: 1, complaints: '' })
  expect(JSON.parse(output)).toEqual(written)
}

/** A preload script that makes a plain Node look like another kind of executable. */
async function preload(file: string, code: string): Promise<string> {
  const path = join(folder, file)
  await writeFile(path, code)
  return path
}

describe('in one file', () => {
  test('as an ES module, the keychain works', async () => {
    await expectToWork([process.execPath, await esm()])
  })

  test('as CommonJS with every package in it, the keychain works', async () => {
    await expectToWork([process.execPath, await commonJs()])
  })

  test('whose keychain is locked, the error says that it is locked, and nothing else', async () => {
    const locked = await startSecretService()
    onTestFinished(() => locked.stop())
    const app = [process.execPath, await esm()] as const
    const env = { ...(locked.env as Record<string, string>), SERVICE: 'locked', TIMEOUT: '5' }
    expect(JSON.parse((await run(app, env)).output)).toEqual(written)
    await locked.lock()
    const { output } = await run(app, { ...env, STEP: 'read' })
    expect(output).toMatch(/^StoreError: The keychain is locked/)
  })

  test('without keytar next to it, the error says what is missing', async () => {
    const lonely = await mkdtemp(join(tmpdir(), 'keychain-lonely-'))
    onTestFinished(() => rm(lonely, { recursive: true }))
    const app = join(lonely, 'app.mjs')
    await copyFile(await esm(), app)
    const { output } = await run([process.execPath, app], { STEP: 'read' })
    expect(output).toMatch(/^StoreError: The keychain module could not be loaded\./)
    expect(output).toContain('node_modules with keytar')
    expect(output).not.toContain('locked')
  })
})

describe('in a single executable', () => {
  let app: string
  beforeAll(async () => {
    app = await executable(await withUrl())
  }, 120_000)

  test('the keychain works, and the application is started once', async () => {
    await expectToWork([app])
  })

  test('that knows no URL of its module, the keychain works', async () => {
    await expectToWork([await executable(await commonJs())])
  }, 120_000)

  test('a locked keychain is an error that says so, and does not end the application', async () => {
    const locked = await startSecretService()
    onTestFinished(() => locked.stop())
    const env = { ...(locked.env as Record<string, string>), SERVICE: 'locked', TIMEOUT: '5' }
    expect(JSON.parse((await run([app], env)).output)).toEqual(written)
    await locked.lock()
    const { code, output } = await run([app], { ...env, STEP: 'read' })
    expect(code).toBe(0)
    expect(output).toMatch(/^StoreError: The keychain is locked/)
  })
})

describe('in an executable that is the application', () => {
  /** Starts the application, whatever it is called with, as a packed one does. */
  async function packed(app: string): Promise<string> {
    const path = join(folder, 'packed.sh')
    await writeFile(path, `#!/bin/sh\nexec '${process.execPath}' '${app}'\n`, { mode: 0o755 })
    return path
  }

  test('such as Electron, it is not started again', async () => {
    const app = await esm()
    const electron = await preload(
      'electron.cjs',
      `Object.defineProperty(process.versions, 'electron', { value: '40.0.0' })
       process.execPath = ${JSON.stringify(await packed(app))}`,
    )
    await expectToWork([process.execPath, '--require', electron, app])
  })

  test('of a kind that nobody knows, it ends before its main function runs a second time', async () => {
    const app = await esm()
    const unknown = await preload(
      'unknown.cjs',
      `process.execPath = ${JSON.stringify(await packed(app))}`,
    )
    await expectToWork([process.execPath, '--require', unknown, app])
  })

  test('that is gone, the keychain works in this process', async () => {
    const gone = await preload('gone.cjs', `process.execPath = '/nonexistent/node'`)
    await expectToWork([process.execPath, '--require', gone, await esm()])
  })

  test('that never becomes a host, the error tells so, and does not speak of a lock', async () => {
    const path = join(folder, 'idle.sh')
    await writeFile(path, '#!/bin/sh\nexec sleep 30\n', { mode: 0o755 })
    const idle = await preload('idle.cjs', `process.execPath = ${JSON.stringify(path)}`)
    const app = await esm()
    const command = [process.execPath, '--require', idle, app] as const
    const { output } = await run(command, { STEP: 'read', TIMEOUT: '1' })
    expect(output).toMatch(/^StoreError: The keychain process did not start/)
    expect(output).not.toContain('locked')
  })
})
