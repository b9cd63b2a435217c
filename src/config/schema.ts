/**
 * The JSON Schema of config files, for editors. It is written to `dist/config/schema.json` when the package
 * is built.
 *
 * @module
 */
import type { OptionSpec, OptionSpecs } from './option-specs.ts'
import { providerTable } from './provider-table.ts'

/** A part of a JSON Schema. */
type Schema = Readonly<Record<string, unknown>>

const textSchema: Schema = { type: 'string' }
const listSchema: Schema = { type: 'array', items: textSchema }
const textMapSchema: Schema = { type: 'object', additionalProperties: textSchema }

// Draft 7 is the newest version that common editors fully support.
const dialect = 'http://json-schema.org/draft-07/schema#'
const reference = '^(?:(?:env|file|keychain|stored|command|input):.+|\\$\\{(?:(?!:-)[^{}])+\\})$'

/** Creates the schema from the table that config files are checked against. */
export function configSchema(): Schema {
  const servers = { type: 'object', additionalProperties: { $ref: '#/definitions/server' } }
  return {
    $schema: dialect,
    title: 'MCP servers',
    type: 'object',
    properties: { $schema: textSchema, mcpServers: servers, servers, inputs: { type: 'array' } },
    definitions: {
      server: serverSchema(),
      auth: authSchema(),
      clientOfCursor: {
        type: 'object',
        description: 'The client that Cursor uses for the login.',
        required: ['CLIENT_ID'],
        properties: { CLIENT_ID: textSchema, CLIENT_SECRET: textSchema, scopes: listSchema },
      },
      tenants: {
        type: 'object',
        description: 'A credential for each tenant; `inTenant()` selects one.',
        additionalProperties: {
          type: 'object',
          required: ['auth'],
          properties: { auth: { $ref: '#/definitions/auth' } },
          additionalProperties: false,
        },
      },
      secret: secretSchema(),
    },
  }
}

/** The members of a server that this library knows; clients have further ones. */
function serverSchema(): Schema {
  const url = { type: 'string', description: 'The MCP server: https, or http on this machine.' }
  const headers = { ...textMapSchema, description: 'Headers; their values may contain variables.' }
  const auth = {
    description: 'The credential.',
    anyOf: [{ $ref: '#/definitions/auth' }, { $ref: '#/definitions/clientOfCursor' }],
  }
  const tenants = { $ref: '#/definitions/tenants' }
  const environment = {
    type: 'object',
    properties: { url, serverUrl: url, headers, auth: { $ref: '#/definitions/auth' }, tenants },
    additionalProperties: false,
  }
  return {
    type: 'object',
    properties: {
      type: textSchema,
      url,
      serverUrl: url,
      headers,
      headersHelper: { anyOf: [textSchema, listSchema], description: 'Prints headers as JSON.' },
      command: textSchema,
      args: { anyOf: [listSchema, textSchema] },
      env: {
        type: 'object',
        description: `Environment variables of the process; for a secret, use a reference such as \${stored:NAME}.`,
        additionalProperties: { type: ['string', 'number', 'boolean'] },
      },
      cwd: { type: 'string', description: 'The folder in which the process starts.' },
      oauth: { type: 'object' },
      auth,
      tenants,
      environments: {
        type: 'object',
        description: 'Overrides for each environment; MCP_CREDENTIALS_ENV selects one.',
        additionalProperties: environment,
      },
    },
  }
}

function authSchema(): Schema {
  return {
    oneOf: [...providerTable].map(([name, { description, options }]) => {
      const { properties, ...rest } = membersSchema(options, ['provider'])
      const provider = { const: name, description }
      return { ...rest, properties: { provider, ...(properties as object) } }
    }),
  }
}

function membersSchema(specs: OptionSpecs, required: readonly string[] = []): Schema {
  const needed = Object.entries(specs).flatMap(([name, spec]) => (spec.required ? [name] : []))
  const properties = Object.entries(specs).map(([name, spec]) => {
    return [name, { description: spec.about, ...schemaOf(spec) }] as const
  })
  return {
    type: 'object',
    required: [...required, ...needed],
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  }
}

function secretSchema(): Schema {
  const description =
    'A reference to the secret: env:NAME, file:PATH, keychain:SERVICE/ACCOUNT, stored:NAME or command:PROGRAM.'
  return { anyOf: [{ type: 'string', description, pattern: reference }, commandObject] }
}

const commandObject: Schema = {
  type: 'object',
  required: ['command'],
  properties: { command: { anyOf: [textSchema, listSchema] } },
  additionalProperties: false,
}

function schemaOf(spec: OptionSpec): Schema {
  switch (spec.kind) {
    case 'text':
      return textSchema
    case 'public':
      return { anyOf: [textSchema, commandObject] }
    case 'secret':
      // Draft 7 ignores members beside `$ref`, including the description.
      return { allOf: [{ $ref: '#/definitions/secret' }] }
    case 'flag':
      return { type: 'boolean' }
    case 'number':
      return { type: 'number' }
    case 'false':
      return { const: false }
    case 'texts':
      return listSchema
    case 'command':
      return { anyOf: [textSchema, listSchema] }
    case 'textMap':
    case 'secretMap':
      return textMapSchema
    case 'json':
      return { type: 'object' }
    case 'choice':
      return { enum: spec.values }
    case 'providers':
      return { type: 'array', minItems: 1, items: { $ref: '#/definitions/auth' } }
    case 'members':
      return membersSchema(spec.members)
    case 'either':
      return { anyOf: spec.specs.map((one) => ({ description: one.about, ...schemaOf(one) })) }
    default:
      return spec satisfies never
  }
}
