import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'

/** workerd picks a free port and tells which on its control channel. */
export async function listeningPort(child: ChildProcess, output: () => string): Promise<number> {
  const control = child.stdio[3] as Readable
  const failed = once(child, 'exit').then(() => {
    throw new Error(`workerd ended before it listened: ${output()}`)
  })
  failed.catch(() => {})
  let text = ''
  const found = (async () => {
    for await (const chunk of control) {
      text += String(chunk)
      const line = text.split('\n').find((entry) => entry.includes('"listen"'))
      if (line !== undefined) return (JSON.parse(line) as { port: number }).port
    }
    throw new Error('workerd closed its control channel.')
  })()
  return Promise.race([found, failed])
}
