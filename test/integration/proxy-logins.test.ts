import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished, vi } from 'vitest'
import { testServers } from '../../src/testing/index.ts'
import { proxyHome } from '../support/proxy-home.ts'
import type { StartOptions } from '../support/stdio-clients.ts'

/** A browser that nobody sits at: it keeps the addresses that it was to show. */
async function recordingBrowser(directory: string): Promise<{ path: string; shown: string }> {
  const path = join(directory, 'browser.sh')
  const shown = join(directory, 'shown')
  await writeFile(path, `#!/bin/sh\nprintf '%s\\n' "$1" >> '${shown}'\n`)
  await chmod(path, 0o755)
  await writeFile(shown, '')
  return { path, shown }
}

interface Answer {
  readonly result?: object
  readonly error?: { readonly message: string }
}

/** A client that shows no URLs and tries to connect as often as it is asked to. */
function client({ command, args, env, cwd }: StartOptions): () => Promise<Answer> {
  const child = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  let text = ''
  child.stdout.on('data', (chunk) => {
    text += String(chunk)
  })
  let tries = 0
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  }
  return async () => {
    const before = tries
    tries += 1
    const message = { jsonrpc: '2.0', id: tries, method: 'initialize', params }
    child.stdin.write(`${JSON.stringify(message)}\n`)
    const line = () => text.split('\n').slice(0, -1)[before]
    await vi.waitFor(() => expect(line()).toBeDefined(), { timeout: 30_000 })
    return JSON.parse(line() ?? '') as Answer
  }
}

it('ends with its client while a login is open', async () => {
  const { resource, close } = await testServers()
  onTestFinished(close)
  const home = await proxyHome()
  const { command, args, env, cwd } = home.proxy(resource.href)
  const child = spawn(command, args, { env, cwd, stdio: ['pipe', 'pipe', 'ignore'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const exited = once(child, 'exit')
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: { elicitation: { url: {} } },
    clientInfo: { name: 'test', version: '1' },
  }
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`)
  const [answer] = await once(child.stdout, 'data')

  child.stdin.end()

  expect(String(answer)).toContain('-32042')
  expect(await exited).toEqual([0, null])
}, 30_000)

it('opens one browser when five proxies need a login at once; the others name the command, and all go on', async () => {
  const { resource, authorizationServer, close } = await testServers()
  onTestFinished(close)
  const home = await proxyHome()
  const browser = await recordingBrowser(home.directory)
  const started = home.proxy(resource.href)
  const env = { ...started.env, BROWSER: browser.path }
  const clients = Array.from({ length: 5 }, () => client({ ...started, env }))

  const refused = await Promise.all(clients.map((connect) => connect()))
  const shown = (await readFile(browser.shown, 'utf8')).trim().split('\n')
  const { headers } = await fetch(shown[0] ?? '', { redirect: 'manual' })
  await authorizationServer.visit(new URL(headers.get('location') ?? ''))
  const stored = async () =>
    expect(await home.store.get(`${resource.href} | default`)).toBeDefined()
  await vi.waitFor(stored, { timeout: 30_000 })
  await new Promise((resolve) => setTimeout(resolve, 1100))
  const answered = await Promise.all(clients.map((connect) => connect()))

  const messages = refused.map(({ error }) => error?.message ?? '')
  const command = `npx mcp-credentials login ${resource.href}`
  expect(shown).toHaveLength(1)
  expect(messages.filter((text) => text.includes('A browser is opening'))).toHaveLength(1)
  expect(messages.filter((text) => text.includes(command))).toHaveLength(5)
  expect(answered.filter(({ result }) => result !== undefined)).toHaveLength(5)
  const codes = authorizationServer.tokenRequests().filter(({ code }) => code !== undefined)
  expect(codes).toHaveLength(1)
})
