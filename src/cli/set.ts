/**
 * The command `set`: stores a key, a token or a password for a server.
 *
 * @module
 */
import type { StoredKey } from '../auto/index.ts'
import { ConfigurationError } from '../index.ts'
import type { AddCommand, Invocation } from './command.ts'
import { commandWord, shown } from './labels.ts'
import { accountOption, findServer } from './server.ts'
import type { Terminal } from './terminal.ts'

interface SetOptions {
  readonly header?: readonly string[]
  readonly query?: string
  readonly bearer?: boolean
  /** The user name; `true`: ask for it. */
  readonly basic?: string | true
  readonly hmac?: boolean
  readonly jwt?: boolean
  readonly keyFile?: string
  readonly option?: readonly string[]
  /** The name of a secret for config files. */
  readonly secret?: string
}

const examples = `
The command asks for the secret without echo, or reads it from a pipe: one line, or one line for each --header. It is
never part of the command line.
With --secret, it is stored under a name. A trusted config file refers to it as "stored:NAME" in an auth block, and as
"\${stored:NAME}" in env and headers.

Examples:
  npx mcp-credentials set https://mcp.example.com/mcp --header X-API-Key
  npx mcp-credentials set --secret github-token
  npx mcp-credentials set https://mcp.example.com/mcp --basic ada
  pass show mcp | npx mcp-credentials set https://mcp.example.com/mcp --bearer
  npx mcp-credentials set https://mcp.example.com/mcp --hmac --option scheme=standard-webhooks
  npx mcp-credentials set https://mcp.example.com/mcp --jwt --option algorithm=HS256 --option issuer=me
  npx mcp-credentials set https://mcp.example.com/mcp --jwt --option algorithm=ES256 --key-file key.pem`

/** Adds the command. */
export const addSet: AddCommand = (program, run) => {
  const several = (value: string, before: readonly string[] = []) => [...before, value]
  program
    .command('set')
    .description('store a key, a token or a password for a server, or a secret for config files')
    .argument('[server]', 'the URL of the server, or its name in the config file')
    .option('--header <name>', 'a key in this header; can be repeated', several)
    .option('--query <name>', 'a key in this query parameter, for a server that accepts no header')
    .option('--bearer', 'a bearer token')
    .option('--basic [user]', 'a user name and a password')
    .option('--hmac', 'a secret that signs each request')
    .option('--jwt', 'a secret or a private key that signs a token for each request')
    .option('--key-file <file>', 'with --jwt: the file of the private key, as PEM or JWK')
    .option(
      '--option <name=value>',
      'with --hmac or --jwt: an option of hmac() or jwt() that is not a secret',
      several,
    )
    .option('--secret <name>', 'a secret for config files, under this name')
    .addHelpText('after', examples)
    .action(run<SetOptions>((invocation, options, server) => set(invocation, options, server)))
}

async function set(
  invocation: Invocation,
  options: SetOptions,
  given: string | undefined,
): Promise<void> {
  const kind = kindOf(options)
  if (kind === 'secret') {
    if (given !== undefined) throw secretWithServerError()
    const { setSecret } = await import('./named-secrets.ts')
    return setSecret(invocation, options.secret ?? '')
  }
  if (given === undefined) {
    throw new ConfigurationError('server', 'The server of the key is missing.', {
      remedy: 'Pass its URL, or its name in the config file.',
    })
  }
  return setKey(invocation, kind, options, given)
}

function secretWithServerError(): ConfigurationError {
  return new ConfigurationError('secret', '--secret cannot be combined with a server.', {
    remedy: 'Omit the server: config files refer to the secret by its name.',
  })
}

async function setKey(
  invocation: Invocation,
  kind: Kind,
  options: SetOptions,
  given: string,
): Promise<void> {
  const { terminal } = invocation
  const { defaultStore, saveKey } = await import('../auto/index.ts')
  const store = defaultStore()
  const { url, label, entry } = await findServer(given, invocation, store)
  const server = entry === undefined ? label : `${shown(entry.name)} (${label})`
  const key = await readKeyOf[kind](terminalFor(server, terminal), options)
  // The location of the store is printed once, with the first record.
  const isFirst = (await store.list()).length === 0
  const { replaced } = await saveKey(store, { resource: url, key, ...accountOption(invocation) })
  const before = replaced === undefined ? '' : `, and replaced the ${replaced}`
  terminal.print(`Stored for ${label}${before}.`)
  if (isFirst) terminal.note((await store.where()).description)
  if (!isSafe(url)) {
    terminal.note(
      'Its URL is http, so others can read the key: only applications that set `allowInsecure: true` send it.',
    )
  }
  terminal.note(`To test it, run: npx mcp-credentials status ${commandWord(label)}`)
}

/** Whether requests are encrypted or stay on this machine. */
function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(?:(?:.+\.)?localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
}

/** The terminal, with the server appended to each question. */
function terminalFor(server: string, terminal: Terminal): Terminal {
  return {
    ...terminal,
    askSecret: (question) => terminal.askSecret(`${question} for ${server}`),
    askSecrets: (questions) =>
      terminal.askSecrets(questions.map((question) => `${question} for ${server}`)),
  }
}

const keyKinds = ['header', 'query', 'bearer', 'basic', 'hmac', 'jwt'] as const
type Kind = (typeof keyKinds)[number]
const kinds = [...keyKinds, 'secret'] as const

function kindOf(options: SetOptions): (typeof kinds)[number] {
  const given = kinds.filter((kind) => options[kind] !== undefined)
  const [kind] = given
  const isSigning = kind === 'hmac' || kind === 'jwt'
  const fail = (problem: string, remedy: string): never => {
    throw new ConfigurationError('set', problem, { remedy })
  }
  if (kind === undefined || given.length > 1) {
    return fail(
      'Exactly one kind of key is required.',
      'Add one of --header NAME, --query NAME, --bearer, --basic USER, --hmac and --jwt; or --secret NAME.',
    )
  }
  if (options.header?.some((name) => !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) === true) {
    fail(
      'The option --header must be the name of a header.',
      'Omit the value; the command asks for it. If you typed a secret, remove it from the shell history, or replace the secret.',
    )
  }
  if (options.option !== undefined && !isSigning) {
    fail('The option --option is only for --hmac and --jwt.', 'Omit it.')
  }
  if (options.keyFile !== undefined && kind !== 'jwt') {
    fail('The option --key-file is only for --jwt.', 'Omit it.')
  }
  return kind
}

const readKeyOf: Readonly<
  Record<Kind, (terminal: Terminal, options: SetOptions) => Promise<StoredKey>>
> = {
  async header(terminal, { header = [] }) {
    const [name = '', ...more] = header
    if (more.length === 0) {
      return { type: 'apiKey', header: name, value: await terminal.askSecret(`Value of ${name}`) }
    }
    const values = await terminal.askSecrets(header.map((each) => `Value of ${each}`))
    const named = header.map((each, index) => [each, values[index] ?? ''])
    return { type: 'headers', headers: Object.fromEntries(named) }
  },
  query: async (terminal, { query = '' }) => ({
    type: 'apiKey',
    query,
    value: await terminal.askSecret(`Value of ${query}`),
  }),
  bearer: async (terminal) => ({
    type: 'bearer',
    token: (await terminal.askSecret('Token')).replace(/^Bearer /i, ''),
  }),
  basic: askPassword,
  hmac: async (terminal, { option }) => {
    const options = signerOptions(option)
    return { type: 'hmac', ...options, secret: await terminal.askSecret('Secret') } as StoredKey
  },
  jwt: async (terminal, { option, keyFile }) => {
    const options = signerOptions(option)
    if (keyFile !== undefined) {
      return { type: 'jwt', ...options, key: await readKey(keyFile) } as StoredKey
    }
    return { type: 'jwt', ...options, secret: await terminal.askSecret('Secret') } as StoredKey
  },
}

async function askPassword(terminal: Terminal, { basic }: SetOptions): Promise<StoredKey> {
  if (typeof basic === 'string') {
    return { type: 'basic', username: basic, password: await terminal.askSecret('Password') }
  }
  const both = await terminal.askSecret('User name and password, as USER:PASSWORD')
  const [username = '', ...rest] = both.split(':')
  const password = rest.join(':')
  if (username !== '' && password !== '') return { type: 'basic', username, password }
  throw new ConfigurationError('basic', 'The user name or the password is missing.', {
    remedy: 'Enter both as USER:PASSWORD, or pass the user name as in `--basic ada`.',
  })
}

/** Parses options of a signer, `name=value`; a value that is JSON is parsed. */
function signerOptions(given: readonly string[] = []): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    given.map((text) => {
      const [name = '', ...rest] = text.split('=')
      if (name === '' || rest.length === 0) {
        throw new ConfigurationError('option', 'The option --option requires a name and a value.', {
          remedy: 'Use it as in `--option algorithm=HS256`.',
        })
      }
      if (/^(?:secret|key|type|sign)$/.test(name)) {
        throw new ConfigurationError(
          'option',
          `Other users of this machine could read the ${name} on the command line.`,
          {
            remedy: 'Omit it; the command asks for it.',
          },
        )
      }
      return [name, optionValue(rest.join('='))]
    }),
  )
}

function optionValue(text: string): unknown {
  if (!/^(?:true|false|-?\d+|[[{].*)$/s.test(text)) return text
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

async function readKey(path: string): Promise<unknown> {
  const { readFile } = await import('node:fs/promises')
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new ConfigurationError('key-file', `The file ${path} cannot be read (${error.code}).`, {
      remedy: 'Correct --key-file.',
    })
  })
  return text.trimStart().startsWith('{') ? jwkOf(path, text) : text
}

function jwkOf(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new ConfigurationError('key-file', `The file ${path} contains neither PEM nor a JWK.`)
  }
}
