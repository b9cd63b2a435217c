/** The machine of a story: folders, config files, variables of the environment, and what is secret in them. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { settingsFolder } from '../../src/stores/user-folders.ts'
import type { Canaries, CanaryKind } from './canary.ts'
import { originOf, type Party, type ResourceName, resourceNames, urlOf } from './types.ts'

/** What an entry of a config file says about credentials. */
export const entryKinds = [
  'absent',
  'nothing',
  'api key',
  'bearer',
  'basic',
  'headers',
  'header block',
  'hmac',
  'rotating',
  'client credentials',
  'workload',
  'saved login',
  'tenants',
] as const
export type EntryKind = (typeof entryKinds)[number]

/** What a story finds on its machine. */
export interface Settings {
  readonly entries: Readonly<Record<ResourceName, EntryKind>>
  /** The environment that is chosen. */
  readonly environment: 'staging' | undefined
  /** The config file that came with the project; `changed`: it was, after it had been trusted. */
  readonly project: 'none' | 'untrusted' | 'trusted' | 'changed'
  /** Where the key of the default store comes from. */
  readonly key: 'made' | 'a variable' | 'a file'
}

export interface Machine {
  readonly settings: Settings
  /** Where the default store keeps its records. */
  readonly records: string
  /** The folder of the project, in which the process runs. */
  readonly project: string
  /** The config file of the project. */
  readonly projectFile: string
  /** The key that the default store has made, once it has. */
  madeKey(): string | undefined
  /** Changes the config file of the project, which nobody trusts from then on. */
  edit(): void
  /** Whether a command of the project's file was run. */
  hasRun(): boolean
  restore(): void
}

/** Variables that hold tokens of others; no config names them. */
const decoys = ['MCP_API_KEY', 'MCP_TOKEN', 'MCP_ACCESS_TOKEN', 'API_KEY', 'GITHUB_TOKEN', 'TOKEN']

type Mint = (kind: CanaryKind, owners: readonly Party[]) => string

export function arrange(settings: Settings, canaries: Canaries): Machine {
  const folder = mkdtempSync(join(tmpdir(), 'taint-machine-'))
  const project = join(folder, 'project')
  const marker = join(folder, 'was-run')
  const environment = takeOverEnvironment(folder, project)
  const mint: Mint = (kind, owners) => canaries.mint(kind, owners)
  const secrets = references(folder, environment.set)
  const files = configFiles(settings, { mint, refer: secrets.refer, variable: secrets.variable })
  const write = (path: string, content: object) => {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    writeFileSync(path, JSON.stringify(content, null, 2), { mode: 0o600 })
  }
  const { platform, env } = process
  const own = settingsFolder({ platform, home: folder, env })
  write(join(own, 'mcp.json'), { mcpServers: files.own() })
  mkdirSync(join(project, '.git'), { recursive: true, mode: 0o700 })
  const projectFile = join(project, '.mcp.json')
  const writeProject = (isTrusted: boolean) =>
    write(projectFile, { mcpServers: files.project(isTrusted ? undefined : marker) })
  if (settings.project !== 'none') writeProject(settings.project === 'trusted')
  for (const name of decoys) environment.set(name, mint('API key', []))
  const isAllowed = Object.values(settings.entries).includes('workload')
  environment.set(
    'AWS_WEB_IDENTITY_TOKEN_FILE',
    secrets.file(platformToken(mint('workload assertion', isAllowed ? ['honest'] : []))),
  )
  giveKey(settings, canaries, { set: environment.set, file: secrets.file })
  return {
    settings,
    records: join(folder, 'data', 'mcp-credentials'),
    project,
    projectFile,
    madeKey() {
      const path = join(own, 'keys', 'store.key')
      return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
    },
    edit: () => writeProject(false),
    hasRun: () => existsSync(marker),
    restore() {
      environment.restore()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Puts the process into the folder, as far as the library looks. */
function takeOverEnvironment(folder: string, project: string) {
  const saved = new Map<string, string | undefined>()
  const set = (name: string, value: string) => {
    if (!saved.has(name)) saved.set(name, process.env[name])
    process.env[name] = value
  }
  const { cwd } = process
  process.cwd = () => project
  set('HOME', folder)
  set('XDG_CONFIG_HOME', join(folder, 'config'))
  set('XDG_DATA_HOME', join(folder, 'data'))
  set('MCP_CREDENTIALS_STORE', 'file')
  return {
    set,
    restore() {
      process.cwd = cwd
      for (const [name, value] of saved) {
        if (value === undefined) delete process.env[name]
        else process.env[name] = value
      }
    },
  }
}

/** Hides secrets in variables and files by turns, and says where they are. */
function references(folder: string, set: (name: string, value: string) => void) {
  let count = 0
  const variable = (value: string) => {
    count += 1
    const name = `TAINT_${count}`
    set(name, value)
    return name
  }
  const file = (value: string) => {
    count += 1
    const path = join(folder, `secret-${count}`)
    writeFileSync(path, `${value}\n`, { mode: 0o600 })
    return path
  }
  const refer = (value: string) =>
    count % 2 === 0 ? `env:${variable(value)}` : `file:${file(value)}`
  return { variable, file, refer }
}

interface Hiding {
  readonly mint: Mint
  readonly refer: (value: string) => string
  readonly variable: (value: string) => string
}

function configFiles(settings: Settings, hiding: Hiding) {
  const { mint, refer } = hiding
  const keyOf = (owners: readonly Party[]) => ({
    auth: { provider: 'apiKey', value: refer(mint('API key', owners)) },
  })
  const entry = (resource: ResourceName) => {
    const kind = settings.entries[resource]
    if (kind === 'absent') return undefined
    const isStaging = settings.environment === 'staging'
    const content = {
      url: urlOf(resource),
      ...members(hiding, kind, isStaging ? [] : [resource]),
      environments: { staging: members(hiding, kind, isStaging ? [resource] : []) },
    }
    return [[resource, content]] as const
  }
  return {
    /** The user's own: the servers, and neighbours of which nobody asks anything. */
    own: () => ({
      'a path below': { url: `${urlOf('notes')}/below`, ...keyOf([]) },
      'another path': { url: `${originOf('wiki')}/other`, ...keyOf([]) },
      ...Object.fromEntries(resourceNames.flatMap((name) => entry(name) ?? [])),
      'another server': { url: `${originOf('elsewhere')}/mcp`, ...keyOf([]) },
    }),
    /** What came with a project; `marker`: a file that its command would make. */
    project: (marker: string | undefined) => ({
      'from the project': { url: urlOf('notes'), ...keyOf(marker === undefined ? ['notes'] : []) },
      ...(marker === undefined
        ? {}
        : {
            'runs a command': {
              url: urlOf('wiki'),
              auth: { provider: 'fromCommand', command: ['/bin/sh', '-c', `touch '${marker}'`] },
            },
          }),
    }),
  }
}

/** The members of an entry; the owners are nobody where it is not the one that counts. */
function members(
  { mint, refer, variable }: Hiding,
  kind: Exclude<EntryKind, 'absent'>,
  owners: readonly Party[],
) {
  const key = () => refer(mint('API key', owners))
  switch (kind) {
    case 'nothing':
      return {}
    case 'api key':
      return { auth: { provider: 'apiKey', value: key() } }
    case 'bearer':
      return { auth: { provider: 'bearer', token: key() } }
    case 'basic':
      return { auth: { provider: 'basic', username: 'agent', password: key() } }
    case 'headers':
      return { headers: { 'X-API-Key': `\${${variable(mint('API key', owners))}}` } }
    case 'header block':
      return { auth: { provider: 'headers', headers: { 'X-API-Key': key(), 'X-Team': 'one' } } }
    case 'hmac':
      return { auth: { provider: 'hmac', secret: refer(mint('signing secret', [])) } }
    case 'rotating': {
      const keys = [1, 2].map(() => ({ provider: 'apiKey', value: key() }))
      return { auth: { provider: 'rotating', providers: keys } }
    }
    case 'client credentials': {
      const clientSecret = refer(mint('client secret', owners.length === 0 ? [] : ['honest']))
      const client = { clientId: 'agent', issuer: originOf('honest'), clientSecret }
      return { auth: { provider: 'clientCredentials', ...client } }
    }
    case 'workload':
      return { auth: { provider: 'workload', issuer: originOf('honest'), clientId: 'job' } }
    case 'saved login':
      return { auth: { provider: 'savedLogin' } }
    case 'tenants': {
      const other = refer(mint('API key', []))
      return {
        tenants: {
          acme: { auth: { provider: 'apiKey', value: key() } },
          other: { auth: { provider: 'apiKey', value: other } },
        },
      }
    }
  }
}

function platformToken(canary: string): string {
  const claims = JSON.stringify({ aud: originOf('honest'), sub: canary })
  return `e30.${Buffer.from(claims).toString('base64url')}.AAAA`
}

function giveKey(
  { key }: Settings,
  canaries: Canaries,
  { set, file }: { set(name: string, value: string): void; file(value: string): string },
): void {
  if (key === 'made') return
  const secret = canaries.mint('store key', [], (value) => `${value}${'k'.repeat(32)}`.slice(0, 32))
  const text = Buffer.from(secret).toString('base64')
  if (key === 'a variable') set('MCP_CREDENTIALS_KEY', text)
  else set('MCP_CREDENTIALS_KEY_FILE', file(text))
}
