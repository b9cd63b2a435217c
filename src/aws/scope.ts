/**
 * The region and the service of a signature.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'

/** The part of a signature's scope that depends on the server. */
export interface SigningScope {
  readonly region: string
  readonly service: string
}

const names = {
  region: { pattern: /^[a-z0-9]+(?:-[a-z0-9]+)*$/, example: 'us-west-2' },
  service: { pattern: /^[A-Za-z0-9]+(?:-[A-Za-z0-9]+)*$/, example: 'bedrock-agentcore' },
} as const

/**
 * Checks the region and the service in the options.
 *
 * @throws {@link ConfigurationError} when the region or the service is not a name.
 */
export function checkScope(options: Partial<SigningScope>): void {
  for (const name of ['region', 'service'] as const) {
    const value: unknown = options[name]
    const { pattern, example } = names[name]
    if (value === undefined || (typeof value === 'string' && pattern.test(value))) continue
    throw new ConfigurationError(
      `awsSigV4.${name}`,
      `awsSigV4.${name} must be a name such as ${example}; leave it out to derive it from the server's host name.`,
    )
  }
}

/**
 * Completes the scope from the server's host name.
 *
 * @throws {@link ConfigurationError} that names what is missing.
 */
export function scopeOf(options: Partial<SigningScope>, resource: URL): SigningScope {
  const derived = derive(resource.hostname)
  const region = options.region ?? derived?.region
  const service = options.service ?? derived?.service
  if (region !== undefined && service !== undefined) return { region, service }
  const missing = region === undefined ? 'region' : 'service'
  throw new ConfigurationError(
    `awsSigV4.${missing}`,
    `awsSigV4.${missing}: the host name ${resource.hostname} does not contain the ${missing}.`,
    {
      resource,
      provider: 'awsSigV4',
      remedy: `Pass it as an option, as in awsSigV4({ region: 'us-west-2', service: 'bedrock-agentcore' }).`,
    },
  )
}

/** Reads `service.region.amazonaws.com` and similar host names. */
function derive(host: string): SigningScope | undefined {
  const match =
    /(?:^|\.)([a-z0-9-]+)\.([a-z]{2,4}(?:-[a-z]+)+-\d+)\.(?:(?:vpce\.)?amazonaws\.com(?:\.cn)?|api\.aws|on\.aws)$/.exec(
      host,
    )
  const [, name, region] = match ?? []
  if (name === undefined || region === undefined) return undefined
  if (host.endsWith('.on.aws')) {
    return name === 'lambda-url' ? { region, service: 'lambda' } : undefined
  }
  return { region, service: name.replace(/-fips$/, '') }
}
