/**
 * Examines a server as a client would, step by step. It sends no secrets and changes nothing.
 *
 * @module
 */
import { listSaved, type SavedCredential, savedUrl } from '../../auto/index.ts'
import type { ConfiguredServer } from '../../config/index.ts'
import type { CredentialStore } from '../../index.ts'
import { examineAddress } from './address.ts'
import { examineAuthorization, refusalOf } from './authorization.ts'
import { examineCertificate } from './certificate.ts'
import { examineConversation } from './conversation.ts'
import type { Observations, Refusal } from './observations.ts'
import { makeRequester } from './requests.ts'

/** The time limit of the store in milliseconds; a keychain may wait for the user. */
const storeLimitMs = 10_000

/** The options of an examination. */
export interface ExamineOptions {
  readonly store: CredentialStore
  readonly signal: AbortSignal
  /** Whether OAuth servers in private networks may be contacted. */
  readonly allowPrivateNetwork: boolean
  /** Receives a line for each request and response. */
  readonly note?: (line: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  /** The config entry of the server. */
  readonly entry?: ConfiguredServer
}

/**
 * Examines a server.
 *
 * @param typed - The URL as the user typed it.
 * @throws The reason of `signal` when it aborts. All other errors are part of the result.
 */
export async function examine(typed: URL, options: ExamineOptions): Promise<Observations> {
  const { signal, store, allowPrivateNetwork } = options
  const url = new URL(typed)
  url.username = ''
  url.password = ''
  url.hash = ''
  const requester = makeRequester(options)
  const at = Date.now()
  const base = {
    url,
    hadUserInfo: typed.username !== '' || typed.password !== '',
    at,
    saved: await savedFor(url, store, signal),
    clocks: requester.clocks,
    checksNoCertificates: options.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0',
    ignoresProxy: ignoresProxy(options.env),
    allowsPrivateNetwork: allowPrivateNetwork,
    entry: options.entry,
  }
  const address = await examineAddress(url, signal)
  if (address.errorCode !== undefined) return { ...base, address }
  const [certificate, conversation] = await Promise.all([
    url.protocol === 'https:' ? examineCertificate(url, signal) : undefined,
    examineConversation(requester, url),
  ])
  const { post, get } = conversation
  const isThere = [post, get].some((outcome) => outcome?.kind === 'response')
  const authorization = isThere
    ? await examineAuthorization(url, { requester, signal, allowPrivateNetwork, conversation })
    : undefined
  return { ...base, address, certificate, conversation, authorization }
}

/** Whether the environment configures a proxy that Node ignores. */
function ignoresProxy(env: ExamineOptions['env']): boolean {
  const names = ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY', 'all_proxy']
  const isSet = names.some((name) => (env[name] ?? '') !== '')
  return isSet && env['NODE_USE_ENV_PROXY'] !== '1'
}

async function savedFor(
  server: URL,
  store: CredentialStore,
  signal: AbortSignal,
): Promise<readonly SavedCredential[] | Refusal> {
  const late: Refusal = {
    code: 'timeout',
    message: 'The store did not respond in time; it may be locked.',
    remedy: 'Unlock the keychain, and try again.',
  }
  let timer: ReturnType<typeof setTimeout> | undefined
  const tooLate = new Promise<Refusal>((resolve) => {
    timer = setTimeout(resolve, storeLimitMs, late)
  })
  try {
    signal.throwIfAborted()
    const saved = await Promise.race([listSaved(store), tooLate])
    return 'code' in saved ? saved : saved.filter(({ url }) => url === savedUrl(server))
  } catch (error) {
    signal.throwIfAborted()
    return refusalOf(error)
  } finally {
    clearTimeout(timer)
  }
}
