/**
 * What stands for the listener and the opener of browsers in bundles for web pages (`browser` in package.json).
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'

/** Refuses to listen: a web page cannot. */
export function listenForCallback(): Promise<never> {
  return Promise.reject(
    new ConfigurationError(
      'authorizationCode.redirectUri',
      'authorizationCode.redirectUri is missing: a web page cannot listen on this machine.',
      { remedy: 'Pass `redirectUri`, an https URL of the page, and `onAuthorizationUrl`.' },
    ),
  )
}

/** Opens nothing. */
export function openBrowser(): Promise<boolean> {
  return Promise.resolve(false)
}
