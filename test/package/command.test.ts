import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'

const root = new URL('../../', import.meta.url).pathname
const folder = join(root, 'dist/cli')
const run = promisify(execFile)

describe('the command', () => {
  it('loads no package but those that the library installs or has as peers', async () => {
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as Record<
      'dependencies' | 'optionalDependencies' | 'peerDependencies',
      Record<string, string>
    >
    const { dependencies, optionalDependencies, peerDependencies } = manifest
    const known = Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies })
    const files = (await readdir(folder)).filter((name) => name.endsWith('.js'))
    const named = new Set<string>()
    for (const file of files) {
      const text = await readFile(join(folder, file), 'utf8')
      for (const [, name = ''] of text.matchAll(
        /(?:^|[;}\s])(?:import|from|import\()\s*"([^".][^"]*)"/g,
      )) {
        if (isBuiltin(name)) continue
        named.add(/^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0] ?? name)
      }
    }
    expect([...named].filter((name) => !known.includes(name))).toEqual([])
    // What checks and makes tokens stays outside, where it is updated without a release of ours.
    expect(named).toContain('jose')
    expect(named).toContain('openid-client')
  })

  it('is there once, with the licences of the code in it', async () => {
    const files = await readdir(folder)
    expect(files.filter((name) => name.endsWith('.d.ts') || name === 'headers.js')).toEqual([])
    const notices = await readFile(join(folder, 'NOTICES.txt'), 'utf8')
    for (const name of ['commander', '@clack/prompts', 'uqr', '@bomb.sh/tab', 'jsonc-parser']) {
      expect(notices).toMatch(new RegExp(`^${name} \\d+\\.\\d+\\.\\d+ \\(MIT\\)`, 'm'))
    }
  })

  it('says headers without the HTTP client of the platform, whatever config file is there', async () => {
    const home = await mkdtemp(join(tmpdir(), 'command-'))
    onTestFinished(() => rm(home, { recursive: true }))
    const url = 'https://mcp.example.com/mcp'
    const list = join(home, 'loaded')
    const hook = join(home, 'hook.cjs')
    await writeFile(
      hook,
      `process.once('exit', () => require('node:fs').writeFileSync(${JSON.stringify(list)}, process.moduleLoadList.join('\\n')))`,
    )
    const env = {
      PATH: process.env['PATH'],
      HOME: home,
      XDG_CONFIG_HOME: join(home, 'config'),
      XDG_DATA_HOME: join(home, 'data'),
      MCP_CREDENTIALS_STORE: 'file',
    }
    const main = join(folder, 'main.js')
    const command = async (argv: readonly string[], input?: string) => {
      const running = run(process.execPath, ['--require', hook, main, ...argv], { cwd: home, env })
      running.child.stdin?.end(input)
      return (await running).stdout
    }
    await command(['set', url, '--header', 'X-API-Key'], 'canary')
    for (const servers of [undefined, { crm: { type: 'http', url } }]) {
      if (servers !== undefined) {
        await writeFile(join(home, '.mcp.json'), JSON.stringify({ mcpServers: servers }))
        await command(['trust', '.mcp.json', '--yes'])
      }
      expect(JSON.parse(await command(['headers', url]))).toEqual({ 'x-api-key': 'canary' })
      const loaded = await readFile(list, 'utf8')
      expect(loaded).toContain('NativeModule net')
      expect(loaded).not.toContain('undici')
    }
  })
})
