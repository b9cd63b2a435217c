/**
 * Checks of the origins to which a credential may be sent.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'

/** Whether a host is this machine: `localhost`, `127.0.0.0/8` or `::1`. */
export function isLoopback(hostname: string): boolean {
  return (
    hostname === 'localhost' ||
    hostname.endsWith('.localhost') ||
    hostname === '[::1]' ||
    // URL has normalised every other spelling of an IPv4 address to four decimal numbers.
    /^127\.\d{1,3}\.\d{1,3}\.\d{1,3}$/.test(hostname)
  )
}

/**
 * Refuses to send a credential unencrypted.
 *
 * @throws {@link ConfigurationError} when the URL is neither https nor on this machine.
 */
export function checkTransportSecurity(url: URL, allowInsecure: boolean): void {
  if (url.protocol === 'https:' || allowInsecure || isLoopback(url.hostname)) return
  throw new ConfigurationError(
    'resource',
    `${resourceLabel(url)} is not https, so the credential would be sent unencrypted.`,
    {
      resource: url,
      remedy: 'Use https, or set `allowInsecure: true` on a network that you trust.',
    },
  )
}
