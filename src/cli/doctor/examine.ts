/**
 * Looks at a server as a client would, step by step. Nothing secret is sent, and nothing is changed.
 *
 * @module
 */
import { listSaved, type SavedCredential, savedUrl } from '../../auto/index.ts'
import type { ConfiguredServer } from '../../config/index.ts'
import type { CredentialStore } from '../../index.ts'
import { examineAddress } from './address.ts'
import { makeAsker } from './ask.ts'
import { examineAuthorization, refusalOf } from './authorization.ts'
import { examineCertificate } from './certificate.ts'
import { examineConversation } from './conversation.ts'
import type { Refusal, Seen } from './seen.ts'

/** Milliseconds that the store may take; a keychain may wait for a person. */
const storeLimitMs = 10_000

/** How a server is examined. */
export interface ExamineOptions {
  readonly store: CredentialStore
  readonly signal: AbortSignal
  /** OAuth servers inside private networks may be contacted. */
  readonly allowPrivateNetwork: boolean
  /** Receives a line for each request and each answer. */
  readonly note?: (line: string) => void
  readonly env: Readonly<Record<string, string | undefined>>
  /** The entry of the config file that names the server. */
  readonly entry?: ConfiguredServer
}

/**
 * Examines a server.
 *
 * @param typed - Its URL, as it was typed.
 * @throws The reason of `signal` when that aborts. Whatever else goes wrong is part of what was seen.
 */
export async function examine(typed: URL, options: ExamineOptions): Promise<Seen> {
  const { signal, store, allowPrivateNetwork } = options
  const url = new URL(typed)
  url.username = ''
  url.password = ''
  url.hash = ''
  const asker = makeAsker(options)
  const at = Date.now()
  const base = {
    url,
    hadUserInfo: typed.username !== '' || typed.password !== '',
    at,
    saved: await savedFor(url, store, signal),
    clocks: asker.clocks,
    checksNoCertificates: options.env['NODE_TLS_REJECT_UNAUTHORIZED'] === '0',
    ignoresProxy: ignoresProxy(options.env),
    allowsPrivateNetwork: allowPrivateNetwork,
    entry: options.entry,
  }
  const address = await examineAddress(url, signal)
  if (address.errorCode !== undefined) return { ...base, address }
  const [certificate, conversation] = await Promise.all([
    url.protocol === 'https:' ? examineCertificate(url, signal) : undefined,
    examineConversation(asker, url),
  ])
  const { post, get } = conversation
  const isThere = [post, get].some((outcome) => outcome?.kind === 'reply')
  const authorization = isThere
    ? await examineAuthorization(url, { asker, signal, allowPrivateNetwork, conversation })
    : undefined
  return { ...base, address, certificate, conversation, authorization }
}

/** Whether the environment has a proxy that Node uses on request only. */
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
    message: 'The store did not answer in time; it may be waiting to be unlocked.',
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
