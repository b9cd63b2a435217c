/**
 * Recommends a provider from the observations.
 *
 * @module
 */
import { commandWord, labelOf } from '../labels.ts'
import { grantsOf, offersBrowserLogin, registrationOf } from './check-issuer.ts'
import { transportToUse } from './messages.ts'
import type { Issuer, Metadata, Observations } from './observations.ts'
import { type CodeParts, codeOf, type ShownCode } from './recommended-code.ts'
import { type RequiredCredential, requiredCredential, requiresDpop } from './required-credential.ts'
import { issuerLabel } from './untrusted-text.ts'

/** A recommendation. */
export interface Recommendation {
  /** The name of the provider; `none`: no credential is needed. */
  readonly provider: string
  /** The reason, in one sentence. */
  readonly reason: string
  /** The command that stores the credential for `auto()`, config files and the command line. */
  readonly command?: string
  /** The code, for each version of the SDK and for `fetch`. */
  readonly code: ShownCode
  /** An entry for `mcp.json`. */
  readonly mcpJson: object
  /** Whether the URL is shortened, because parts of it may be secret. */
  readonly isShortened: boolean
}

/** A provider, and how code and config files write it. */
interface Choice {
  readonly provider: string
  readonly reason: string
  readonly parts: CodeParts
  /** The `auth` block; absent: none is needed. */
  readonly auth?: Readonly<Record<string, unknown>>
  /** The command, without the URL. */
  readonly command?: { readonly name: 'login' | 'set'; readonly flags: readonly string[] }
}

/** Recommends a provider; `undefined`: a problem must be solved first. */
export function recommend(observed: Observations): Recommendation | undefined {
  const required = requiredCredential(observed)
  const choice = required.kind === 'oauth' ? oauthChoice(observed) : keyChoice(required)
  if (choice === undefined || observed.conversation === undefined) return undefined
  const { provider, reason, parts, auth, command } = choice
  const url = labelOf(observed.url)
  const transport = transportToUse(observed.conversation, observed.url)
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
    mcpJson: { mcpServers: { [observed.entry?.name ?? nameOf(observed.url)]: entry } },
    isShortened: url !== observed.url.href && `${url}/` !== observed.url.href,
  }
}

function keyChoice(required: RequiredCredential): Choice | undefined {
  switch (required.kind) {
    case 'nothing':
      return {
        provider: 'none',
        reason: 'The server requires no credential.',
        parts: { imports: {} },
      }
    case 'key':
      return apiKeyChoice(required.header, required.isKnown)
    case 'bearer':
      return {
        provider: 'bearer',
        reason:
          'The server requires a bearer token, and publishes no authorization server. If it expects a key elsewhere, use --header X-API-Key or --basic.',
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
      return required satisfies never
  }
}

function apiKeyChoice(header: string, isKnown: boolean): Choice {
  const isDefault = header === 'X-API-Key'
  const named = isDefault ? '' : `header: '${header}', `
  return {
    provider: 'apiKey',
    reason: isKnown
      ? `The response of the server mentions ${header}.`
      : `The required credential is not known; a key in ${header} is the most common. If the server expects it elsewhere, use --bearer or --basic.`,
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
  reason: 'The server requires a user name and a password.',
  parts: {
    imports: { 'mcp-credentials': ['basic', 'env'] },
    provider: "basic({ username: 'me', password: env('MCP_PASSWORD') })",
  },
  auth: { provider: 'basic', username: 'me', password: 'env:MCP_PASSWORD' },
  command: { name: 'set', flags: ['--basic'] },
}

const accessChoice: Choice = {
  provider: 'headers',
  reason: 'Cloudflare Access accepts programs with a service token.',
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

/** Chooses an authorization server and a grant that it supports. */
function oauthChoice(observed: Observations): Choice | undefined {
  const { issuers = [] } = observed.authorization ?? {}
  const offering = (test: (metadata: Metadata, issuer: Issuer) => boolean) =>
    issuers.find((each) => each.metadata !== undefined && test(each.metadata, each))
  const isUsable = (_: Metadata, { loginRefusal }: Issuer) => loginRefusal === undefined
  const withBrowser =
    offering((metadata, each) => offersBrowserLogin(metadata) && isUsable(metadata, each)) ??
    offering((metadata, { needsPin }) => offersBrowserLogin(metadata) && needsPin === true)
  const isFirst = (issuer: Issuer) => issuer === issuers[0]
  if (withBrowser !== undefined) return browserChoice(observed, withBrowser, isFirst(withBrowser))
  const device = offering((metadata) => metadata.device_authorization_endpoint !== undefined)
  if (device !== undefined) return deviceChoice(observed, device)
  const grants = ['client_credentials', jwtBearer] as const
  for (const grant of grants) {
    const found = offering((metadata) => grantsOf(metadata).includes(grant))
    if (found === undefined) continue
    return grant === jwtBearer ? workloadChoice(observed, found) : clientChoice(observed, found)
  }
  return undefined
}

const jwtBearer = 'urn:ietf:params:oauth:grant-type:jwt-bearer'

/** The options that every grant at this server requires. */
function sharedOptions(
  observed: Observations,
  { issuer, needsPin }: Issuer,
  isNamed: boolean,
): Options {
  const { allowsPrivateNetwork } = observed
  return {
    ...(isNamed || needsPin === true ? { issuer: issuerLabel(issuer) } : {}),
    ...(requiresDpop(observed) ? { dpop: true } : {}),
    ...(allowsPrivateNetwork ? { allowPrivateNetwork: true } : {}),
  }
}

type Options = Readonly<Record<string, string | boolean>>

const metadataUrl = 'https://my-agent.example.com/client.json'

function browserChoice(observed: Observations, issuer: Issuer, isFirst: boolean): Choice {
  const way = registrationOf(issuer.metadata as Metadata)
  const isByHand = way === 'by hand'
  const client = { dynamic: undefined, document: metadataUrl, 'by hand': 'my-agent' }[way]
  const options: Options = {
    ...(way === 'dynamic' ? { clientName: 'My agent' } : {}),
    ...(way === 'document' ? { clientMetadataUrl: metadataUrl } : {}),
    ...(isByHand ? { clientId: 'my-agent' } : {}),
    ...sharedOptions(observed, issuer, isByHand || !isFirst),
  }
  const named =
    typeof options['issuer'] === 'string' ? ['--issuer', commandWord(options['issuer'])] : []
  return {
    provider: 'authorizationCode',
    reason: {
      dynamic: 'Users log in with a browser; the client registers itself.',
      document: 'Users log in with a browser; the client has a metadata document.',
      'by hand': 'Users log in with a browser; the client must be registered first.',
    }[way],
    parts: grantParts('authorizationCode', options, { store: true }),
    auth: { provider: 'authorizationCode', ...options },
    ...loginCommand(observed, [...(client === undefined ? [] : ['--client-id', client]), ...named]),
  }
}

function loginCommand(observed: Observations, flags: readonly string[]): Pick<Choice, 'command'> {
  const bound = requiresDpop(observed) ? ['--dpop'] : []
  const network = observed.allowsPrivateNetwork ? ['--allow-private-network'] : []
  return { command: { name: 'login', flags: [...flags, ...bound, ...network] } }
}

function deviceChoice(observed: Observations, issuer: Issuer): Choice {
  const options = { clientId: 'my-agent', ...sharedOptions(observed, issuer, true) }
  const named = ['--client-id', 'my-agent', '--issuer', commandWord(issuerLabel(issuer.issuer))]
  return {
    provider: 'deviceCode',
    reason:
      'Users log in on another device, because the server offers no usable login with a browser.',
    parts: grantParts('deviceCode', options, {
      store: true,
      more: [
        'onUserCode: ({ userCode, verificationUri }) =>',
        "  console.error('Open', verificationUri.href, 'and enter', userCode),",
      ],
    }),
    auth: { provider: 'deviceCode', ...options },
    ...loginCommand(observed, ['--device', ...named]),
  }
}

function clientChoice(observed: Observations, issuer: Issuer): Choice {
  const options = { clientId: 'my-agent', ...sharedOptions(observed, issuer, true) }
  return {
    provider: 'clientCredentials',
    reason: 'The client authenticates with its secret; no user logs in.',
    parts: {
      ...grantParts('clientCredentials', options, {
        more: ["clientSecret: env('MCP_CLIENT_SECRET'),"],
        core: ['env'],
      }),
    },
    auth: { provider: 'clientCredentials', ...options, clientSecret: 'env:MCP_CLIENT_SECRET' },
  }
}

/**
 * The MCP server names the issuer, so the audience of the platform's token must be that issuer before the
 * token is sent.
 */
function workloadChoice(observed: Observations, issuer: Issuer): Choice {
  const shared = sharedOptions(observed, issuer, true)
  const options = { ...shared, clientId: 'my-agent' }
  const label = issuerLabel(issuer.issuer)
  return {
    provider: 'workloadIdentity',
    reason: `The server accepts tokens of a platform, such as Kubernetes or a CI service. Check that ${label} is the expected authorization server: the MCP server names it, and the token is sent there.`,
    parts: grantParts('workloadIdentity', options, { module: 'mcp-credentials/auto' }),
    auth: { provider: 'workload', ...options },
  }
}

/** The code for a grant. */
function grantParts(
  name: string,
  options: Options,
  extra: {
    /** Lines of further options. */
    readonly more?: readonly string[]
    /** Further imports from the core. */
    readonly core?: readonly string[]
    /** Whether a user logs in, so that the login is stored. */
    readonly store?: true
    /** The module of the provider. Default `mcp-credentials/oauth`. */
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

/** A TypeScript literal. */
export function literal(value: string | boolean): string {
  if (typeof value === 'boolean') return String(value)
  return /^[^'\\\n\r]*$/.test(value) ? `'${value}'` : JSON.stringify(value)
}

/** A name for the server's entry: the distinctive part of its host. */
export function nameOf({ hostname }: URL): string {
  if (/^[\d.]+$|^\[/.test(hostname)) return 'server'
  const plain = hostname.split('.').filter((label) => !/^(?:mcp|www|api|localhost)$/.test(label))
  const [first = 'server', ...rest] = plain
  return rest.length === 0 && hostname.includes('.') && plain.length > 0 && plain[0] === 'com'
    ? 'server'
    : first
}
