/**
 * Checks the callback of the browser.
 *
 * @module
 */
import { CredentialError } from '../errors.ts'
import { shortenPath } from '../labels.ts'
import type { PendingLoginRecord } from '../oauth/pending-login.ts'
import { name } from './options.ts'

/**
 * Builds the callback URL from the redirect URI that was sent, because a proxy may change host and scheme.
 *
 * @param callbackUrl - The URL that the browser requested, or its path with its query.
 * @throws {@link CredentialError} with the code `login_mismatch` when it is not the callback of this login.
 */
export function callbackOf(
  callbackUrl: string | URL,
  { redirectUri, state }: PendingLoginRecord,
): URL {
  const callback = new URL(redirectUri)
  const given = URL.canParse(callbackUrl, redirectUri)
    ? new URL(callbackUrl, redirectUri)
    : undefined
  if (given?.pathname !== callback.pathname) throw otherPath(given, callback)
  if (given.search === '') throw withoutQuery()
  callback.search = given.search
  if (callback.searchParams.get('state') === state) return callback
  throw new CredentialError('login_mismatch', `${name}: the callback belongs to another login.`, {
    provider: name,
    remedy:
      'Select the state by the `id` of the login, which is the parameter `state` of the callback.',
  })
}

function otherPath(given: URL | undefined, { pathname }: URL): CredentialError {
  const found = given === undefined ? 'an invalid URL' : `the path ${quotedPath(given.pathname)}`
  return new CredentialError(
    'login_mismatch',
    `${name}: the callback has ${found}, but \`redirectUri\` has the path ${quotedPath(pathname)}.`,
    {
      provider: name,
      remedy:
        'Pass the URL that the browser requested, with its query; behind a router that is `originalUrl`. If a proxy changes the path, replace it by that of `redirectUri`.',
    },
  )
}

function quotedPath(path: string): string {
  return JSON.stringify(shortenPath(path).slice(0, 200))
}

function withoutQuery(): CredentialError {
  return new CredentialError('login_mismatch', `${name}: the callback URL has no query.`, {
    provider: name,
    remedy: 'Pass the URL that the browser requested, with its query, which contains the response.',
  })
}
