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
  /** The user name, or `true`: it is asked for. */
  readonly basic?: string | true
  readonly hmac?: boolean
  readonly jwt?: boolean
  readonly keyFile?: string
  readonly option?: readonly string[]
  /** The name of a secret that is for config files, and no server's key. */
  readonly secret?: string
}

const examples = `
The secret is asked for without echo, or read from a pipe: as one line, or one line for each --header. It is never
part of the command line.
With --secret, it is stored under a name instead, and goes into what a trusted config file names: "stored:NAME" in an
auth block, "\${stored:NAME}" in env and headers.

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
    .option('--header <name>', 'a key in this header; repeat it for several headers', several)
    .option('--query <name>', 'a key in this query parameter, for a server that accepts no header')
    .option('--bearer', 'a token after the word Bearer')
    .option('--basic [user]', 'a user name and a password')
    .option('--hmac', 'a secret that signs each request')
    .option('--jwt', 'a secret or a private key that signs a token for each request')
    .option('--key-file <file>', 'of --jwt: the file of the private key, in PEM or as a JWK')
    .option(
      '--option <name=value>',
      'of --hmac and --jwt: an option of hmac() or jwt() that is no secret',
      several,
    )
    .option('--secret <name>', 'a secret that config files refer to by this name, for no server')
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
    if (given !== undefined) throw serverOfSecret()
    const { setSecret } = await import('./named-secrets.ts')
    return setSecret(invocation, options.secret ?? '')
  }
  if (given === undefined) {
    throw new ConfigurationError('server', 'It has to be said for which server the key is.', {
      remedy: 'Write its URL, or its name in the config file.',
    })
  }
  return setKey(invocation, kind, options, given)
}

function serverOfSecret(): ConfigurationError {
  return new ConfigurationError('secret', 'A secret with a name belongs to no server.', {
    remedy: 'Leave out the server: config files say where the secret goes.',
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
  const key = await ask[kind](askingFor(server, terminal), options)
  // Where it is kept is news to whoever stores something for the first time.
  const isFirst = (await store.list()).length === 0
  const { replaced } = await saveKey(store, { resource: url, key, ...accountOption(invocation) })
  const before = replaced === undefined ? '' : `, in the place of the ${replaced} that was there`
  terminal.print(`Stored for ${label}${before}.`)
  if (isFirst) terminal.note((await store.where()).description)
  if (!isSafe(url)) {
    terminal.note(
      'It is reached by http, where others can read the key: it is sent only by applications that set `allowInsecure: true`.',
    )
  }
  terminal.note(`See whether it works: npx mcp-credentials status ${commandWord(label)}`)
}

/** Whether others cannot read what is sent there. */
function isSafe({ protocol, hostname }: URL): boolean {
  return protocol === 'https:' || /^(?:(?:.+\.)?localhost|127\.[\d.]+|\[::1\])$/.test(hostname)
}

/** The terminal, with questions that say where the answer will go. */
function askingFor(server: string, terminal: Terminal): Terminal {
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
      'It has to be said what kind of key it is, once.',
      'Add one of --header NAME, --query NAME, --bearer, --basic USER, --hmac and --jwt; or --secret NAME.',
    )
  }
  if (options.header?.some((name) => !/^[\w!#$%&'*+.^`|~-]+$/.test(name)) === true) {
    fail(
      'The option --header takes the name of a header alone.',
      'Leave out its value, which is asked for. If you typed a secret, the history of the shell has it: remove it there, or replace the secret.',
    )
  }
  if (options.option !== undefined && !isSigning) {
    fail('The option --option belongs to --hmac and --jwt.', 'Leave it out.')
  }
  if (options.keyFile !== undefined && kind !== 'jwt') {
    fail('The option --key-file belongs to --jwt.', 'Leave it out.')
  }
  return kind
}

const ask: Readonly<Record<Kind, (terminal: Terminal, options: SetOptions) => Promise<StoredKey>>> =
  {
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
    remedy: 'Write both as USER:PASSWORD, or add the user name as in `--basic ada`.',
  })
}

/** Options of a signer, as `name=value`; a value that is JSON is read as such. */
function signerOptions(given: readonly string[] = []): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    given.map((text) => {
      const [name = '', ...rest] = text.split('=')
      if (name === '' || rest.length === 0) {
        throw new ConfigurationError('option', 'The option --option takes a name and a value.', {
          remedy: 'Write it as in `--option algorithm=HS256`.',
        })
      }
      if (/^(?:secret|key|type|sign)$/.test(name)) {
        throw new ConfigurationError(
          'option',
          `Everybody on this machine could read the ${name} here.`,
          {
            remedy: 'Leave it out; it is asked for.',
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
    throw new ConfigurationError('key-file', `The file ${path} holds neither PEM nor a JWK.`)
  }
}
