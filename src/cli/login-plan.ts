/**
 * Chooses how to log in, from the options, the server's metadata and this machine.
 *
 * @module
 */
import type { DefaultStore } from '../auto/index.ts'
import {
  ConfigurationError,
  CredentialError,
  type CredentialProvider,
  isCredentialError,
  parseChallenges,
} from '../index.ts'
import type { discover } from '../oauth/index.ts'
import type { Invocation } from './command.ts'
import { otherKeyFlags, toCommandError } from './command-errors.ts'
import { commandWord } from './labels.ts'
import { type ClientOptions, hasDisplay, type LoginOptions, opensBrowser } from './login-options.ts'
import { initializeRequest } from './mcp-request.ts'
import type { Server } from './server.ts'
import { withExplanation } from './unreachable.ts'
import { fetchOption } from './verbose-fetch.ts'

/** A client secret, which renewals need too. */
export interface ClientSecret {
  readonly clientId: string
  readonly secret: string
}

/** The chosen login. */
export interface LoginPlan {
  readonly kind: 'browser' | 'device' | 'client' | 'config'
  readonly provider: CredentialProvider
  readonly clientSecret: ClientSecret | undefined
}

type Found = Awaited<ReturnType<typeof discover>>

/**
 * Discovers the server's authorization, and chooses the login.
 *
 * @returns `undefined`: the server requires no login.
 * @throws `ConfigurationError` when the options do not fit; `CredentialError` when the server requires a
 *   credential but offers no login.
 */
export async function planLogin(
  server: Server,
  options: LoginOptions,
  invocation: Invocation,
  store: DefaultStore,
): Promise<LoginPlan | undefined> {
  checkGrant(options)
  const configured = await configuredLogin(server, options, invocation, store)
  if (configured !== undefined) return configured
  invocation.terminal.note(`Checking how to log in to ${server.label}.`)
  const found = await discovered(server, options, invocation)
  if (found === 'no login') return undefined
  if (found !== undefined) {
    invocation.terminal.note(`The authorization server is ${found.issuer}.`)
  }
  const kind = kindOf(options, found, invocation)
  const client = await clientOptions(server, kind, options, found, invocation)
  if (kind === 'client') {
    const { loginProvider } = await import('./login-client.ts')
    return { kind, provider: loginProvider(client), clientSecret: undefined }
  }
  const module =
    kind === 'device' ? await import('./login-device.ts') : await import('./login-browser.ts')
  const { clientId, clientSecret } = client
  const secret =
    clientId === undefined || clientSecret === undefined
      ? undefined
      : { clientId, secret: clientSecret }
  return { kind, provider: module.loginProvider(client, options, invocation), clientSecret: secret }
}

const grants: readonly string[] = ['authorization-code', 'device', 'client-credentials']

function checkGrant({ grant, device, browser, port, clientId, clientSecret }: LoginOptions): void {
  const fail = (option: string, problem: string, remedy: string): never => {
    throw new ConfigurationError(option, problem, { remedy })
  }
  if (grant !== undefined && !grants.includes(grant)) {
    const ways = grants.map((way) => `\`${way}\``).join(', ')
    fail('grant', `The option --grant must be one of ${ways}.`, 'Use one of them, or omit --grant.')
  }
  if (device === true && ((grant ?? 'device') !== 'device' || !browser)) {
    fail(
      'device',
      '--device conflicts with --no-browser and with other grants.',
      'Omit --device or the other option.',
    )
  }
  if (
    port !== undefined &&
    !(/^\d{1,5}$/.test(port) && Number(port) > 0 && Number(port) < 65_536)
  ) {
    fail(
      'port',
      'The option --port must be a number from 1 to 65535.',
      'Omit it to use a free port.',
    )
  }
  if (clientSecret === true && clientId === undefined && grant !== 'client-credentials') {
    fail('client-secret', 'The option --client-secret requires a client ID.', 'Add --client-id.')
  }
}

/** The login that the config entry defines, if any. */
async function configuredLogin(
  server: Server,
  options: LoginOptions,
  invocation: Invocation,
  store: DefaultStore,
): Promise<LoginPlan | undefined> {
  const { entry } = server
  if (entry === undefined || entry.usesSavedLogin) return undefined
  const [{ readConfig }, { showUrl }, { showCode }] = await Promise.all([
    import('./server.ts'),
    import('./login-browser.ts'),
    import('./login-device.ts'),
  ])
  const hooks = {
    onUserCode: showCode(invocation.terminal),
    ...(opensBrowser(options, invocation)
      ? {}
      : { onAuthorizationUrl: showUrl(invocation.terminal) }),
  }
  const provider = (await readConfig(invocation, store, hooks)).credentials(entry.name)
  if ('acquire' in provider && provider.interactive === true) {
    return { kind: 'config', provider, clientSecret: undefined }
  }
  throw new ConfigurationError(
    'server',
    `The server ${entry.name} needs no login: ${entry.file} configures another credential (${entry.auth}).`,
    {
      remedy: `Run \`npx mcp-credentials status ${commandWord(entry.name)}\` to test it.`,
    },
  )
}

async function discovered(
  server: Server,
  { issuer, allowPrivateNetwork = false }: LoginOptions,
  invocation: Invocation,
): Promise<Found | 'no login' | undefined> {
  const { discover } = await import('../oauth/index.ts')
  const { signal } = invocation
  try {
    return await discover(server.url, { signal, allowPrivateNetwork, ...fetchOption(invocation) })
  } catch (error) {
    if (isCredentialError(error, 'network')) throw withExplanation(error, server.url)
    if (!isCredentialError(error, 'discovery')) throw error
    if (issuer !== undefined) return undefined
    if (error.reason !== 'no_authorization_server') {
      throw withDoctorRemedy(await toCommandError(error, server, invocation), server)
    }
    return withoutOAuth(server, invocation)
  }
}

/** Adds a remedy to an error without one. */
function withDoctorRemedy(error: unknown, { url, label }: Server): unknown {
  if (!isCredentialError(error) || error.remedy !== undefined) return error
  return new CredentialError(error.code, error.message, {
    resource: url,
    retryable: error.retryable,
    remedy: `Run \`npx mcp-credentials doctor ${commandWord(label)}\` for details.`,
  })
}

/** Determines what a server without an authorization server requires. */
async function withoutOAuth(server: Server, invocation: Invocation): Promise<'no login'> {
  const { url, label } = server
  const send = fetchOption(invocation).fetch ?? fetch
  const { openSession, reach, refusal } = await import('./mcp-session.ts')
  const { signal } = invocation
  const response = await reach(server, () => send(url, { ...initializeRequest(), signal }))
  await response.body?.cancel()
  const doctor = `Check the URL, or run \`npx mcp-credentials doctor ${commandWord(label)}\`.`
  if (response.headers.get('content-type')?.startsWith('text/html') && response.ok) {
    throw new CredentialError('unsupported_server', `${label} is a web page, not an MCP server.`, {
      resource: url,
      remedy: `Run \`npx mcp-credentials doctor ${commandWord(label)}\` to search for the correct URL.`,
    })
  }
  if (response.ok) return 'no login'
  const mayBeOlder = response.status === 400 || response.status === 405
  if (mayBeOlder && (await opensWithoutCredential(() => openSession(server, send, signal))))
    return 'no login'
  if (response.status >= 502 && response.status <= 504) throw refusal(server, response.status)
  if (!mayBeOlder && response.status !== 401 && response.status !== 403) {
    throw new CredentialError(
      response.status >= 500 ? 'server_error' : 'unsupported_server',
      `${label} responds with status ${response.status} and names no authorization server.`,
      {
        resource: url,
        status: response.status,
        remedy: doctor,
      },
    )
  }
  const schemes = parseChallenges(response.headers.get('www-authenticate') ?? '').map(
    ({ scheme }) => scheme.toLowerCase(),
  )
  const flag = schemes.includes('basic')
    ? '--basic USER'
    : schemes.includes('bearer')
      ? '--bearer'
      : '--header X-API-Key'
  throw new CredentialError(
    'unsupported_server',
    `${label} offers no login: it names no authorization server. It requires a key or a token from its operator.`,
    {
      resource: url,
      remedy: `Store it with \`npx mcp-credentials set ${commandWord(label)} ${flag}\`; ${otherKeyFlags(flag)}.`,
    },
  )
}

/** Whether a session opens without a credential; errors other than a refusal are thrown. */
async function opensWithoutCredential(open: () => Promise<unknown>): Promise<boolean> {
  try {
    await open()
    return true
  } catch (error) {
    if (isCredentialError(error, 'access_denied')) return false
    throw error
  }
}

function kindOf(
  { grant, device, clientId, browser }: LoginOptions,
  found: Found | undefined,
  invocation: Invocation,
): 'browser' | 'device' | 'client' {
  if (grant === 'client-credentials') return 'client'
  if (device === true || grant === 'device') {
    if (clientId !== undefined) return 'device'
    throw new ConfigurationError(
      'client-id',
      'A login on another device requires a registered client.',
      {
        remedy: 'Add --client-id with the ID of the registered client.',
      },
    )
  }
  if (grant === 'authorization-code' || !browser || hasDisplay(invocation)) return 'browser'
  const isOffered = found?.metadata.device_authorization_endpoint !== undefined
  return isOffered && clientId !== undefined ? 'device' : 'browser'
}

async function clientOptions(
  { entry }: Server,
  kind: LoginPlan['kind'],
  options: LoginOptions,
  found: Found | undefined,
  { terminal }: Invocation,
): Promise<ClientOptions> {
  const { allowPrivateNetwork, dpop, port } = options
  const known = options.clientId ?? entry?.oauth?.clientId
  const clientId = kind === 'client' ? (known ?? (await promptedClientId(terminal))) : known
  const scope = options.scope ?? entry?.oauth?.scope
  const callbackPort = entry?.oauth?.callbackPort
  const redirectUri =
    options.redirectUri ??
    (port === undefined
      ? callbackPort && `http://localhost:${callbackPort}/callback`
      : `http://127.0.0.1:${port}/callback`)
  const hasSecret = options.clientSecret === true || kind === 'client'
  const issuer = options.issuer ?? (hasSecret ? await confirmedIssuer(found, terminal) : undefined)
  const clientSecret = hasSecret ? await terminal.askSecret('Client secret') : undefined
  return {
    ...(clientId === undefined ? {} : { clientId }),
    ...(clientSecret === undefined ? {} : { clientSecret }),
    ...(issuer === undefined ? {} : { issuer }),
    ...(scope === undefined ? {} : { scope }),
    ...(redirectUri ? { redirectUri } : {}),
    ...(dpop === true ? { dpop } : {}),
    ...(allowPrivateNetwork === true ? { allowPrivateNetwork } : {}),
  }
}

async function promptedClientId(terminal: Invocation['terminal']): Promise<string> {
  const given = (await terminal.askText('Client ID'))?.trim() ?? ''
  if (given !== '') return given
  throw new ConfigurationError('client-id', 'No client ID was given.', {
    remedy: 'Add --client-id with the ID of the registered client.',
  })
}

/** The user must confirm the issuer that the MCP server names, because the client secret is sent there. */
async function confirmedIssuer(
  found: Found | undefined,
  terminal: Invocation['terminal'],
): Promise<string> {
  const issuer = found?.issuer
  const question = `Send the client secret to ${issuer}?`
  if (issuer !== undefined && (await terminal.confirm(question, false))) return issuer
  throw new ConfigurationError(
    'issuer',
    'The authorization server of the client secret is not known.',
    {
      remedy: `Add \`--issuer ${commandWord(issuer ?? 'URL')}\` if the client is registered there.`,
    },
  )
}
