import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startApiKeyServer } from '../../examples/servers/api-key-server.ts'

const run = (source: string, environment: Record<string, string> = {}) =>
  promisify(execFile)(process.execPath, ['--input-type=module', '--eval', source], {
    cwd: new URL('../..', import.meta.url).pathname,
    env: { ...process.env, ...environment },
    timeout: 20_000,
  })

describe('a process', () => {
  it('exits by itself after one request', async () => {
    const server = await startApiKeyServer({ kind: 'stateless', keys: { k: 'alice' } })
    onTestFinished(() => server.close())

    const { stdout } = await run(
      `import { apiKey, authorizedFetch, env } from 'mcp-credentials'
       const fetch = authorizedFetch(apiKey({ value: env('KEY') }), { resource: process.env.URL, renewal: { keepFresh: true } })
       const response = await fetch(process.env.URL, { method: 'POST', body: '{}' })
       await response.text()
       console.log(response.status !== 401)`,
      { URL: server.url.href, KEY: 'k' },
    )

    expect(stdout.trim()).toBe('true')
  })

  it('is not disturbed by a subscriber of the diagnostics channel that throws', async () => {
    const { stdout } = await run(
      `import { subscribe } from 'node:diagnostics_channel'
       import { bearer, TokenManager } from 'mcp-credentials'
       const uncaught = []
       process.on('uncaughtException', (error) => uncaught.push(error.message))
       subscribe('mcp-credentials', () => { throw new Error('from the subscriber') })
       const own = []
       const onEvent = ({ type }) => own.push(type)
       const manager = new TokenManager(bearer('t'), { resource: 'https://mcp.example.com', onEvent })
       const credential = await manager.credential()
       const headers = new Headers()
       await credential.apply({ headers })
       setImmediate(() => console.log(JSON.stringify({ sent: headers.get('Authorization'), own, uncaught })))`,
    )

    expect(JSON.parse(stdout)).toEqual({
      sent: 'Bearer t',
      own: ['acquire_start', 'acquire_success'],
      uncaught: ['from the subscriber', 'from the subscriber'],
    })
  })

  it('does not wait for what a command leaves behind in the background', async () => {
    const started = performance.now()
    const { stdout } = await run(
      `import { command } from 'mcp-credentials'
       const lasting = ['-e', 'setTimeout(() => {}, 15_000)']
       const options = { stdio: ['ignore', 'inherit', 'ignore'], detached: true }
       const source = "require('node:child_process').spawn(process.execPath, " + JSON.stringify(lasting) +
         ", " + JSON.stringify(options) + ").unref(); console.log('token')"
       console.log(await command([process.execPath, '-e', source])())`,
    )

    expect(stdout.trim()).toBe('token')
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('loads no dependency and no Node built-in with the core', async () => {
    const { stdout } = await run(
      `import { register } from 'node:module'
       import { MessageChannel } from 'node:worker_threads'
       const { port1, port2 } = new MessageChannel()
       const loaded = []
       port1.on('message', (url) => loaded.push(url))
       const hook = \`let port
         export const initialize = (data) => { port = data }
         export const load = (url, context, next) => { port.postMessage(url); return next(url, context) }\`
       register('data:text/javascript,' + encodeURIComponent(hook), { data: port2, transferList: [port2] })
       await import('mcp-credentials')
       setTimeout(() => { port1.close(); console.log(JSON.stringify(loaded)) }, 100)`,
    )

    const loaded: string[] = JSON.parse(stdout)
    expect(loaded.length).toBeGreaterThan(5)
    expect(loaded.filter((url) => !url.includes('/dist/'))).toEqual([])
  })
})
