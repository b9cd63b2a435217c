import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'
import { type Config, type LoadConfigOptions, loadConfig } from '../../src/config/index.ts'
import type { CredentialProvider } from '../../src/index.ts'
import { acquireContext } from '../../src/testing/acquire-context.ts'
import { outgoing } from '../support/acquire.ts'

/** A home folder and a repository in it, with files in them. */
export interface Project {
  readonly home: string
  readonly root: string
  write(path: string, content: unknown): Promise<string>
  load(options?: LoadConfigOptions): Promise<Config>
}

export async function project(files: Readonly<Record<string, unknown>> = {}): Promise<Project> {
  const home = await mkdtemp(join(tmpdir(), 'config-'))
  onTestFinished(() => rm(home, { recursive: true, force: true }))
  const root = join(home, 'work', 'repo')
  await mkdir(join(root, '.git'), { recursive: true })
  const write = async (path: string, content: unknown) => {
    const full = path.startsWith('~/') ? join(home, path.slice(2)) : join(root, path)
    await mkdir(dirname(full), { recursive: true })
    const text = typeof content === 'string' ? content : JSON.stringify(content, undefined, 2)
    await writeFile(full, text)
    return full
  }
  for (const [path, content] of Object.entries(files)) await write(path, content)
  return {
    home,
    root,
    write,
    load: (options = {}) => loadConfig({ home, cwd: root, env: {}, ...options }),
  }
}

/** The same, with the file of the project trusted. */
export const trusted = { trust: () => true } as const

/** The headers that a provider puts on a request. */
export async function headersOf(
  provider: unknown,
  resource = 'https://crm.example.com/mcp',
): Promise<Record<string, string>> {
  const request = await applied(provider, resource)
  return Object.fromEntries(request.headers)
}

/** The request with a provider's credential on it. */
async function applied(provider: unknown, resource: string) {
  const context = acquireContext({ resource: new URL(resource) })
  const credential = await (provider as CredentialProvider).acquire(context)
  const request = outgoing({ url: new URL(resource) })
  await credential.apply(request)
  return request
}
