/// <reference lib="esnext.disposable" preserve="true" />
/**
 * A `fetch` with a client certificate.
 *
 * @module
 */
import { accessSync, constants } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { createSecureContext } from 'node:tls'
import type { Agent } from 'undici'
import type { Secret } from '../credential.ts'
import { ConfigurationError, CredentialError, isCredentialError } from '../errors.ts'
import { checkOptions } from '../options.ts'
import { checkSecret, readSecret } from '../secret.ts'
import { loadUndici, plainRequest } from './undici.ts'

/**
 * The options of {@link mutualTls}.
 *
 * @group Certificates and addresses
 */
export interface MutualTlsOptions {
  /** The file with the client's certificate and its intermediates, in PEM. */
  readonly cert: string | URL
  /** The file with the private key of the certificate, in PEM. */
  readonly key: string | URL
  /** The file with the trusted certificate authorities, in PEM. Default: those of Node. */
  readonly ca?: string | URL
  /** The passphrase of an encrypted private key. */
  readonly passphrase?: Secret
  /**
   * Called when the files have changed: with `undefined` when the new certificate is in use, or with the
   * error because of which the previous one remains in use. An error is reported once, until the files
   * change again.
   */
  readonly onReload?: (error: CredentialError | undefined) => void
  /** The clock, in milliseconds. Default: `Date.now`. */
  readonly now?: () => number
}

/**
 * A `fetch` with a client certificate.
 *
 * @group Certificates and addresses
 */
export interface MutualTlsFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** Closes all connections; close the MCP client first. Later requests are rejected with `closed`. */
  close(): Promise<void>
  /** The same as {@link MutualTlsFetch.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>
}

type Files = Readonly<Record<'cert' | 'key' | 'ca', string | URL | undefined>>

const checkInterval = 1000

/**
 * Creates a `fetch` that presents a client certificate. Pass it to a transport as its `fetch`, or to
 * `withCredentials` and `authorizedFetch` as their option `fetch` to send a credential too.
 *
 * The files are checked at most once a second, when there is a request. After a change, new requests use
 * new connections, and pending ones finish on the old connections. While certificate and key do not match,
 * because only one has been replaced, the previous pair remains in use.
 *
 * The certificate is presented to every https server that requests one; the key never leaves the machine.
 * Requires the package `undici`, version 7 or later. Responses are of undici's class.
 *
 * @throws `ConfigurationError` when an option is invalid or a file cannot be read. The returned function
 *   throws `CredentialError` with the code `secret_unavailable` when certificate and key cannot be used;
 *   otherwise the errors of `fetch`.
 * @see RFC 8446, section 4.4.2
 *
 * @example
 * ```ts
 * import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
 * import { mutualTls } from 'mcp-credentials/node'
 *
 * const fetch = mutualTls({ cert: '/etc/agent/tls.crt', key: '/etc/agent/tls.key' })
 * const url = new URL('https://mcp.example.com/mcp')
 * const transport = new StreamableHTTPClientTransport(url, { fetch })
 * ```
 * @group Certificates and addresses
 */
export function mutualTls(options: MutualTlsOptions): MutualTlsFetch {
  checkOptions('mutualTls', options, ['cert', 'key', 'ca', 'passphrase', 'onReload', 'now'])
  checkFile('cert', options.cert)
  checkFile('key', options.key)
  if (options.ca !== undefined) checkFile('ca', options.ca)
  if (options.passphrase !== undefined) checkSecret('mutualTls.passphrase', options.passphrase)

  const certificates = new Certificates(options)
  const close = () => certificates.close()
  const send = async (input: string | URL | Request, init?: RequestInit) => {
    const { fetch } = await loadUndici('mutualTls')
    const picked = certificates.connections()
    // No await may be between picking and using them: they could be retired in between.
    const connections = picked instanceof Promise ? await picked : picked
    return connections.use(async (dispatcher) => {
      const [url, plain] = await plainRequest(input, init)
      // The types of undici and of the platform differ in irrelevant details.
      return (await fetch(url, { ...(plain as object), dispatcher })) as unknown as Response
    })
  }
  return Object.assign(send, { close, [Symbol.asyncDispose]: close })
}

/** The connections made with one certificate. */
class Connections {
  readonly signature: string
  /** Resolves when the last request on a retired certificate has ended. */
  readonly ended: Promise<void>
  readonly #agent: Agent
  #end: () => void = () => {}
  #starting = 0
  #retired = false

  constructor(signature: string, agent: Agent) {
    this.signature = signature
    this.#agent = agent
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  async use<T>(task: (agent: Agent) => Promise<T>): Promise<T> {
    this.#starting += 1
    try {
      return await task(this.#agent)
    } finally {
      this.#starting -= 1
      this.#endWhenIdle()
    }
  }

  /** Closes the connections when pending requests have finished. */
  retire(): void {
    this.#retired = true
    this.#endWhenIdle()
  }

  destroy(): Promise<void> {
    return this.#agent.destroy()
  }

  #endWhenIdle(): void {
    // An agent refuses requests after close(), and a request reaches it only some time after fetch().
    if (this.#retired && this.#starting === 0) this.#agent.close().then(this.#end, this.#end)
  }
}

class Certificates {
  readonly #files: Files
  readonly #passphrase: Secret | undefined
  readonly #onReload: MutualTlsOptions['onReload']
  readonly #now: () => number
  readonly #open = new Set<Connections>()
  #current: Connections | undefined
  #checking: Promise<Connections> | undefined
  #checkedAt = -Infinity
  #reported: string | undefined
  #closed = false

  constructor({ cert, key, ca, passphrase, onReload, now }: MutualTlsOptions) {
    this.#files = { cert, key, ca }
    this.#passphrase = passphrase
    this.#onReload = onReload
    this.#now = now ?? Date.now
  }

  connections(): Connections | Promise<Connections> {
    if (this.#closed) throw closedError()
    const now = this.#now()
    const due = this.#current === undefined || now - this.#checkedAt >= checkInterval
    if (due && this.#checking === undefined) {
      this.#checkedAt = now
      this.#checking = this.#check().finally(() => {
        this.#checking = undefined
      })
    }
    const connections = this.#checking ?? this.#current
    if (connections === undefined) throw closedError()
    return connections
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#checking?.catch(() => {})
    await Promise.all([...this.#open].map((connections) => connections.destroy()))
    this.#open.clear()
  }

  async #check(): Promise<Connections> {
    const signature = await signatureOf(this.#files)
    const previous = this.#current
    if (previous?.signature === signature) return previous
    try {
      const next = new Connections(signature, await this.#agent())
      this.#open.add(next)
      this.#current = next
      if (previous !== undefined) this.#replaced(previous)
      return next
    } catch (error) {
      if (previous === undefined || !isCredentialError(error)) throw error
      if (this.#reported !== signature) this.#report(error)
      this.#reported = signature
      return previous
    }
  }

  #replaced(previous: Connections): void {
    previous.retire()
    void previous.ended.then(() => this.#open.delete(previous))
    this.#reported = undefined
    this.#report(undefined)
  }

  async #agent(): Promise<Agent> {
    const { Agent } = await loadUndici('mutualTls')
    const [cert, key, ca] = await Promise.all([
      readPem('cert', this.#files.cert),
      readPem('key', this.#files.key),
      readPem('ca', this.#files.ca),
    ])
    const passphrase =
      this.#passphrase === undefined
        ? undefined
        : await readSecret('mutualTls.passphrase', this.#passphrase, { signal: undefined })
    const connect = {
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
      ...(ca === undefined ? {} : { ca }),
      ...(passphrase === undefined ? {} : { passphrase }),
    }
    try {
      createSecureContext(connect)
    } catch (error) {
      const { code } = error as { code?: unknown }
      throw unavailable(
        `certificate and key cannot be used together (${typeof code === 'string' ? code : 'unknown error'}).`,
        'Check that `key` belongs to `cert`, that both are PEM, and the passphrase.',
      )
    }
    return new Agent({ connect })
  }

  #report(error: CredentialError | undefined): void {
    try {
      this.#onReload?.(error)
    } catch {
      // An error of an observer must not have an effect.
    }
  }
}

function checkFile(option: string, path: string | URL): void {
  if ((typeof path !== 'string' && !(path instanceof URL)) || String(path) === '') {
    throw new ConfigurationError(option, `mutualTls: \`${option}\` must be the path of a PEM file.`)
  }
  try {
    accessSync(path, constants.R_OK)
  } catch (error) {
    const { code } = error as { code?: unknown }
    throw new ConfigurationError(
      option,
      `mutualTls: \`${option}\`: the file ${String(path)} cannot be read (${String(code)}); pass the path of a PEM file.`,
    )
  }
}

/** A signature that changes with any of the files. */
async function signatureOf(files: Files): Promise<string> {
  const parts = Object.values(files).map(async (path) => {
    if (path === undefined) return ''
    try {
      const { mtimeNs, size, ino } = await stat(path, { bigint: true })
      return `${mtimeNs}:${size}:${ino}`
    } catch {
      return 'missing'
    }
  })
  return (await Promise.all(parts)).join()
}

async function readPem(
  option: string,
  path: string | URL | undefined,
): Promise<Buffer | undefined> {
  if (path === undefined) return undefined
  try {
    return await readFile(path)
  } catch (error) {
    const { code } = error as { code?: unknown }
    throw unavailable(
      `\`${option}\`: the file ${String(path)} cannot be read (${String(code)}).`,
      'Check the path and its permissions.',
    )
  }
}

function unavailable(message: string, remedy: string): CredentialError {
  return new CredentialError('secret_unavailable', `mutualTls: ${message}`, {
    retryable: true,
    remedy,
  })
}

function closedError(): CredentialError {
  return new CredentialError('closed', 'mutualTls: this fetch is closed.', {
    remedy: 'Call mutualTls() again.',
  })
}
