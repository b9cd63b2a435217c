/**
 * Chooses the provider by what was seen.
 *
 * @module
 */
import { commandWord, labelOf } from '../labels.ts'
import { grantsOf, offersBrowserLogin, registrationOf } from './judge-issuer.ts'
import { transportToUse } from './messages.ts'
import { type CodeParts, codeOf, type ShownCode } from './recommended-code.ts'
import type { Issuer, Metadata, Seen } from './seen.ts'
import { issuerLabel } from './shown.ts'
import { requiresDpop, type Wanted, wantedBy } from './wanted.ts'

/** What is recommended. */
export interface Recommendation {
  /** The name of the provider; `none`: no credential is needed. */
  readonly provider: string
  /** Why, in a sentence. */
  readonly reason: string
  /** What to type once, so that `auto()`, a config file and the command find the credential. */
  readonly command?: string
  /** The code, for each version of the SDK and without it. */
  readonly code: ShownCode
  /** An entry for `mcp.json`. */
  readonly mcpJson: object
  /** The URL in it is shortened, since parts of it may be secret. */
  readonly isShortened: boolean
}

/** A provider, and how it is written. */
interface Choice {
  readonly provider: string
  readonly reason: string
  readonly parts: CodeParts
  /** The `auth` block; absent: none is needed. */
  readonly auth?: Readonly<Record<string, unknown>>
  /** The command, without the URL. */
  readonly command?: { readonly name: 'login' | 'set'; readonly flags: readonly string[] }
}

/** Recommends a provider; `undefined`: something has to be mended first. */
export function recommend(seen: Seen): Recommendation | undefined {
  const wanted = wantedBy(seen)
  const choice = wanted.kind === 'oauth' ? oauthChoice(seen) : keyChoice(wanted)
  if (choice === undefined || seen.conversation === undefined) return undefined
  const { provider, reason, parts, auth, command } = choice
  const url = labelOf(seen.url)
  const transport = transportToUse(seen.conversation, seen.url)
  const entry = {
    type: transport === 'sse' ? 'sse' : 'http',
    url,
    ...(auth === undefined ? {} : { auth }),
  }
  const words = command && ['npx mcp-credentials', command.name, commandWord(url), ...command.flags]
  return {
    provider,
    reason,
    ...(words === undefined ? {} : { command: words.join(' ') }),
    code: codeOf(parts, url, transport),
    mcpJson: { mcpServers: { [seen.entry?.name ?? nameOf(seen.url)]: entry } },
    isShortened: url !== seen.url.href && `${url}/` !== seen.url.href,
  }
}

function keyChoice(wanted: Wanted): Choice | undefined {
  switch (wanted.kind) {
    case 'nothing':
      return {
        provider: 'none',
        reason: 'The server asks for no credential.',
        parts: { imports: {} },
      }
    case 'key':
      return apiKeyChoice(wanted.header, wanted.isKnown)
    case 'bearer':
      return {
        provider: 'bearer',
        reason:
          'The server asks for a bearer token, and publishes no way to get one. If your key is sent in another way: --header X-API-Key or --basic.',
        parts: {
          imports: { 'mcp-credentials': ['bearer', 'env'] },
          provider: "bearer(env('MCP_TOKEN'))",
        },
        auth: { provider: 'bearer', token: 'env:MCP_TOKEN' },
        command: { name: 'set', flags: ['--bearer'] },
      }
    case 'basic':
      return basicChoice
    case 'aws':
      return {
        provider: 'awsSigV4',
        reason: 'AWS refuses requests that are not signed.',
        parts: { imports: { 'mcp-credentials/aws': ['awsSigV4'] }, provider: 'awsSigV4()' },
        auth: { provider: 'awsSigV4' },
      }
    case 'cloudflare-access':
      return accessChoice
    case 'oauth':
    case 'unknown':
      return undefined
    default:
      return wanted satisfies never
  }
}

function apiKeyChoice(header: string, isKnown: boolean): Choice {
  const isDefault = header === 'X-API-Key'
  const named = isDefault ? '' : `header: '${header}', `
  return {
    provider: 'apiKey',
    reason: isKnown
      ? `The answer of the server mentions ${header}.`
      : `The server does not say what it wants; a key in ${header} is the most common. If yours is sent in another way: --bearer or --basic.`,
    parts: {
      imports: { 'mcp-credentials': ['apiKey', 'env'] },
      provider: `apiKey({ ${named}value: env('MCP_API_KEY') })`,
    },
    auth: { provider: 'apiKey', ...(isDefault ? {} : { header }), value: 'env:MCP_API_KEY' },
    command: { name: 'set', flags: ['--header', header] },
  }
}

const basicChoice: Choice = {
  provider: 'basic',
  reason: 'The server asks for a user name and a password.',
  parts: {
    imports: { 'mcp-credentials': ['basic', 'env'] },
    provider: "basic({ username: 'me', password: env('MCP_PASSWORD') })",
  },
  auth: { provider: 'basic', username: 'me', password: 'env:MCP_PASSWORD' },
  command: { name: 'set', flags: ['--basic'] },
}

const accessChoice: Choice = {
  provider: 'headers',
  reason: 'Cloudflare Access lets programs in that have a service token.',
  parts: {
    imports: { 'mcp-credentials': ['env', 'headers'] },
    provider: [
      'headers({',
      "  'CF-Access-Client-Id': env('CF_ACCESS_CLIENT_ID'),",
      "  'CF-Access-Client-Secret': env('CF_ACCESS_CLIENT_SECRET'),",
      '})',
    ].join('\n'),
  },
  auth: {
    provider: 'headers',
    headers: {
      'CF-Access-Client-Id': 'env:CF_ACCESS_CLIENT_ID',
      'CF-Access-Client-Secret': 'env:CF_ACCESS_CLIENT_SECRET',
    },
  },
}

/** Chooses an authorization server, and the grant that fits it. */
function oauthChoice(seen: Seen): Choice | undefined {
  const { issuers = [] } = seen.authorization ?? {}
  const offering = (test: (metadata: Metadata, issuer: Issuer) => boolean) =>
    issuers.find((each) => each.metadata !== undefined && test(each.metadata, each))
  const isUsable = (_: Metadata, { loginRefusal }: Issuer) => loginRefusal === undefined
  const withBrowser =
    offering((metadata, each) => offersBrowserLogin(metadata) && isUsable(metadata, each)) ??
    offering((metadata, { needsPin }) => offersBrowserLogin(metadata) && needsPin === true)
  const isFirst = (issuer: Issuer) => issuer === issuers[0]
  if (withBrowser !== undefined) return browserChoice(seen, withBrowser, isFirst(withBrowser))
  const device = offering((metadata) => metadata.device_authorization_endpoint !== undefined)
  if (device !== undefined) return deviceChoice(seen, device)
  const grants = ['client_credentials', jwtBearer] as const
  for (const grant of grants) {
    const found = offering((metadata) => grantsOf(metadata).includes(grant))
    if (found === undefined) continue
    return grant === jwtBearer ? workloadChoice(seen, found) : clientChoice(seen, found)
  }
  return undefined
}

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** The options that every grant at this server needs. */
function sharedOptions(seen: Seen, { issuer, needsPin }: Issuer, isNamed: boolean): Options {
  const { allowsPrivateNetwork } = seen
  return {
    ...(isNamed || needsPin === true ? { issuer: issuerLabel(issuer) } : {}),
    ...(requiresDpop(seen) ? { dpop: true } : {}),
    ...(allowsPrivateNetwork ? { allowPrivateNetwork: true } : {}),
  }
}

type Options = Readonly<Record<string, string | boolean>>

const metadataUrl = 'https://my-agent.example.com/client.json'

function browserChoice(seen: Seen, issuer: Issuer, isFirst: boolean): Choice {
  const way = registrationOf(issuer.metadata as Metadata)
  const isByHand = way === 'by hand'
  const client = { dynamic: undefined, document: metadataUrl, 'by hand': 'my-agent' }[way]
  const options: Options = {
    ...(way === 'dynamic' ? { clientName: 'My agent' } : {}),
    ...(way === 'document' ? { clientMetadataUrl: metadataUrl } : {}),
    ...(isByHand ? { clientId: 'my-agent' } : {}),
    ...sharedOptions(seen, issuer, isByHand || !isFirst),
  }
  const named =
    typeof options['issuer'] === 'string' ? ['--issuer', commandWord(options['issuer'])] : []
  return {
    provider: 'authorizationCode',
    reason: {
      dynamic: 'Users log in with a browser, and the client registers itself.',
      document: 'Users log in with a browser; the client is known by its metadata document.',
      'by hand': 'Users log in with a browser; the client has to be registered by hand first.',
    }[way],
    parts: grantParts('authorizationCode', options, { store: true }),
    auth: { provider: 'authorizationCode', ...options },
    ...loginCommand(seen, [...(client === undefined ? [] : ['--client-id', client]), ...named]),
  }
}

function loginCommand(seen: Seen, flags: readonly string[]): Pick<Choice, 'command'> {
  const bound = requiresDpop(seen) ? ['--dpop'] : []
  const network = seen.allowsPrivateNetwork ? ['--allow-private-network'] : []
  return { command: { name: 'login', flags: [...flags, ...bound, ...network] } }
}

function deviceChoice(seen: Seen, issuer: Issuer): Choice {
  const options = { clientId: 'my-agent', ...sharedOptions(seen, issuer, true) }
  const named = ['--client-id', 'my-agent', '--issuer', commandWord(issuerLabel(issuer.issuer))]
  return {
    provider: 'deviceCode',
    reason: 'Users log in on another device: no login with a browser can be used here.',
    parts: grantParts('deviceCode', options, {
      store: true,
      more: [
        'onUserCode: ({ userCode, verificationUri }) =>',
        "  console.error('Open', verificationUri.href, 'and enter', userCode),",
      ],
    }),
    auth: { provider: 'deviceCode', ...options },
    ...loginCommand(seen, ['--device', ...named]),
  }
}

function clientChoice(seen: Seen, issuer: Issuer): Choice {
  const options = { clientId: 'my-agent', ...sharedOptions(seen, issuer, true) }
  return {
    provider: 'clientCredentials',
    reason: 'The client acts for itself, with its secret; no user logs in.',
    parts: {
      ...grantParts('clientCredentials', options, {
        more: ["clientSecret: env('MCP_CLIENT_SECRET'),"],
        core: ['env'],
      }),
    },
    auth: { provider: 'clientCredentials', ...options, clientSecret: 'env:MCP_CLIENT_SECRET' },
  }
}

/** The MCP server names the issuer, so the platform's token has to be made out for it before it is sent there. */
function workloadChoice(seen: Seen, issuer: Issuer): Choice {
  const shared = sharedOptions(seen, issuer, true)
  const options = { ...shared, clientId: 'my-agent' }
  const label = issuerLabel(issuer.issuer)
  return {
    provider: 'workloadIdentity',
    reason: `The server takes the tokens of a platform, such as Kubernetes or a CI service. Check that ${label} is the authorization server you expect: the MCP server names it, and the token is sent there.`,
    parts: grantParts('workloadIdentity', options, { module: 'mcp-credentials/auto' }),
    auth: { provider: 'workload', ...options },
  }
}

/** The code of a grant. */
function grantParts(
  name: string,
  options: Options,
  extra: {
    /** Lines of further options. */
    readonly more?: readonly string[]
    /** Further names of the core. */
    readonly core?: readonly string[]
    /** A user logs in, and the login is kept. */
    readonly store?: true
    /** The module of the provider. Default: that of OAuth. */
    readonly module?: string
  },
): CodeParts {
  const { more = [], core = [], store = false, module = 'mcp-credentials/oauth' } = extra
  const members = Object.entries(options).map(([key, value]) => `${key}: ${literal(value)}`)
  const short = `${name}({ ${members.join(', ')} })`
  const isShort = more.length === 0 && short.length <= 60
  const lines = [...members.map((member) => `${member},`), ...more].map((line) => `  ${line}`)
  return {
    imports: {
      ...(core.length === 0 ? {} : { 'mcp-credentials': core }),
      ...(store ? { 'mcp-credentials/auto': ['defaultStore'] } : {}),
      [module]: [name],
    },
    provider: isShort ? short : [`${name}({`, ...lines, '})'].join('\n'),
    isLogin: store,
  }
}

/** A value of TypeScript. */
export function literal(value: string | boolean): string {
  if (typeof value === 'boolean') return String(value)
  return /^[^'\\\n\r]*$/.test(value) ? `'${value}'` : JSON.stringify(value)
}

/** A name for the server's entry: the telling part of its host. */
export function nameOf({ hostname }: URL): string {
  if (/^[\d.]+$|^\[/.test(hostname)) return 'server'
  const plain = hostname.split('.').filter((label) => !/^(?:mcp|www|api|localhost)$/.test(label))
  const [first = 'server', ...rest] = plain
  return rest.length === 0 && hostname.includes('.') && plain.length > 0 && plain[0] === 'com'
    ? 'server'
    : first
}
