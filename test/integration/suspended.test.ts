import { fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { recordingOrigin } from '../support/recording-origin.ts'

test.skipIf(process.platform === 'win32')(
  'a process that is suspended for longer than an acquisition may take does not lose the answer',
  async () => {
    const suspendedMs = 4000
    const acquireTimeout = 2
    let resumed: Promise<void> | undefined
    const server = await recordingOrigin((_request, response) => {
      child.kill('SIGSTOP')
      response.setHeader('Content-Type', 'application/json')
      response.end(
        JSON.stringify({
          access_token: 'access-1',
          token_type: 'Bearer',
          expires_in: 3600,
          refresh_token: 'refresh-1',
        }),
      )
      // Signals are for the real process, so this waits for real time.
      resumed = pause(suspendedMs).then(() => void child.kill('SIGCONT'))
    })
    const settings = { issuer: server.origin, resource: `${server.origin}/mcp`, acquireTimeout }
    const worker = new URL('../support/suspended-worker.mjs', import.meta.url)
    const child = fork(worker, [JSON.stringify(settings)], { execArgv: [] })
    onTestFinished(() => void child.kill('SIGKILL'))

    const [message] = await once(child, 'message')
    await resumed

    expect(message).toEqual({ authorization: 'Bearer access-1' })
    expect(server.requests).toHaveLength(1)
  },
)
