/**
 * The signature base of HTTP message signatures.
 *
 * @module
 */
import type { OutgoingRequest } from '../credential.ts'
import { ConfigurationError, CredentialError } from '../errors.ts'
import { serializeParameters, serializeString } from './structured-fields.ts'

/** The parts of a request that a signature can cover. */
export interface SignedRequest extends Pick<OutgoingRequest, 'method' | 'url'> {
  /** The headers, for reading only. */
  readonly headers: Pick<Headers, 'get'>
}

// RFC 9421, section 2.2. URL has lower-cased scheme and host, dropped the scheme's default port and made an
// empty path a slash; `fetch` sends path and query as they are here, and drops a `?` without a query.
const derived: Readonly<Record<string, (request: SignedRequest) => string>> = {
  '@method': ({ method }) => method,
  '@target-uri': ({ url }) => `${url.protocol}//${url.host}${targetOf(url)}`,
  '@authority': ({ url }) => url.host,
  '@scheme': ({ url }) => url.protocol.slice(0, -1),
  '@request-target': ({ url }) => targetOf(url),
  '@path': ({ url }) => url.pathname,
  '@query': ({ url }) => (url.search === '' ? '?' : url.search),
}

const queryParameterPattern = /^@query-param;name="([^"\\]*)"$/

/**
 * Checks the name of a component and brings it into the form in which it is signed.
 *
 * @throws {@link ConfigurationError} when there is no such component, or when requests cannot have it.
 */
export function checkComponent(option: string, component: string): string {
  const wrong = (problem: string) =>
    new ConfigurationError(option, `${option}: ${JSON.stringify(component)} ${problem}`)
  if (typeof component !== 'string') throw wrong('is not the name of a component.')
  if (component.startsWith('@query-param')) return checkQueryParameter(component, wrong)
  if (component.startsWith('@')) {
    if (Object.hasOwn(derived, component)) return component
    const known = Object.keys(derived).join(', ')
    throw wrong(`cannot be signed; the derived components are ${known}, @query-param;name="…".`)
  }
  const field = component.toLowerCase()
  if (field.includes(';')) throw wrong('has parameters; cover the whole header instead.')
  if (!/^[!#$%&'*+\-.^_`|~0-9a-z]+$/.test(field)) {
    throw wrong(
      'is not a component; pass the name of a header or a derived component such as @method.',
    )
  }
  if (field === 'signature' || field === 'signature-input') {
    throw wrong('is set after signing, so it cannot be covered; leave it out.')
  }
  return field
}

function checkQueryParameter(
  component: string,
  wrong: (problem: string) => ConfigurationError,
): string {
  const name = queryParameterPattern.exec(component)?.[1]
  if (name === undefined) throw wrong('names no parameter; pass @query-param;name="page".')
  const [[decoded = ''] = []] = [...new URLSearchParams(`${name}=`)]
  const encoded = formEncoded(decoded)
  if (encoded === name) return component
  throw wrong(`must have the encoded name; pass @query-param;name="${encoded}".`)
}

/**
 * The signature base, and the signature parameters that are its last line.
 *
 * @see RFC 9421, section 2.5
 * @param components - As {@link checkComponent} returns them, none twice.
 * @param parameters - In the order in which they are to be sent.
 * @throws {@link CredentialError} with the code `unsignable_request` when the request lacks a
 * component, or has a value that a signature base cannot contain.
 */
export function signatureBase(
  request: SignedRequest,
  components: readonly string[],
  parameters: Readonly<Record<string, string | number>>,
): { readonly base: string; readonly input: string } {
  const lines = components.map((component) => {
    return `${identifierOf(component)}: ${componentValue(component, request)}`
  })
  const input = `(${components.map(identifierOf).join(' ')})${serializeParameters(parameters)}`
  return { base: [...lines, `"@signature-params": ${input}`].join('\n'), input }
}

/** `"content-type"`, `"@query-param";name="page"`. */
function identifierOf(component: string): string {
  const [name = '', ...rest] = component.split(';')
  return [serializeString(name), ...rest].join(';')
}

function componentValue(component: string, request: SignedRequest): string {
  const parameter = queryParameterPattern.exec(component)?.[1]
  if (parameter !== undefined) return queryParameter(parameter, request.url)
  const derive = component.startsWith('@') ? derived[component] : undefined
  const value = derive?.(request) ?? headerValue(component, request)
  if (/^[\t\x20-\x7e]*$/.test(value)) return value
  throw unsignable(
    `the header ${component} contains a character outside ASCII, which cannot be signed.`,
    'Encode its value, or leave it out of the components.',
  )
}

/** RFC 9421, section 2.1; `Headers` joins several values. */
function headerValue(name: string, { headers }: SignedRequest): string {
  const value = headers.get(name)
  if (value !== null)
    return value.replace(/[\t ]*\r?\n[\t ]+/g, ' ').replace(/^[\t ]+|[\t ]+$/g, '')
  throw unsignable(
    `the request has no header ${name}, which the signature covers.`,
    'Set it on the transport or in an earlier part of all(), or list it in `optionalComponents`.',
  )
}

/** RFC 9421, section 2.2.8: a parameter that occurs twice must not be named. */
function queryParameter(name: string, url: URL): string {
  const values = [...url.searchParams].filter(([key]) => formEncoded(key) === name)
  const [[, value] = []] = values
  if (values.length === 1 && value !== undefined) return formEncoded(value)
  const times = values.length === 0 ? 'no' : 'more than one'
  throw unsignable(
    `the URL has ${times} query parameter ${name}, which the signature covers.`,
    'Cover @query instead.',
  )
}

/** As forms encode it, but with `%20` for a space. */
function formEncoded(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1).replaceAll('+', '%20')
}

function targetOf(url: URL): string {
  return url.pathname + url.search
}

function unsignable(message: string, remedy: string): CredentialError {
  return new CredentialError('unsignable_request', `httpSignature: ${message}`, {
    provider: 'httpSignature',
    remedy,
  })
}
