/**
 * What the browser brought back.
 *
 * @module
 */
import { CredentialError } from '../errors.ts'
import { shortenPath } from '../labels.ts'
import type { PendingLoginRecord } from '../oauth/pending-login.ts'
import { name } from './options.ts'

/**
 * Builds the URL of the callback on the redirect URI as it was sent: what a proxy makes of host and scheme is not what
 * was registered.
 *
 * @param callbackUrl - What the browser asked for: a URL, or a path with its query.
 * @throws {@link CredentialError} with the code `login_mismatch` when it is no callback of this login.
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
      'Keep the states of several logins apart by their `id`, which is the parameter `state` of the callback.',
  })
}

function otherPath(given: URL | undefined, { pathname }: URL): CredentialError {
  const found = given === undefined ? 'no URL' : `the path ${quotedPath(given.pathname)}`
  return new CredentialError(
    'login_mismatch',
    `${name}: that is not the URL of a callback: it has ${found}, and \`redirectUri\` the path ${quotedPath(pathname)}.`,
    {
      provider: name,
      remedy:
        'Pass the URL that the browser asked for, with its query; behind a router that is `originalUrl`, and where a proxy changes the path, put that of `redirectUri` in its place.',
    },
  )
}

function quotedPath(path: string): string {
  return JSON.stringify(shortenPath(path).slice(0, 200))
}

function withoutQuery(): CredentialError {
  return new CredentialError('login_mismatch', `${name}: the URL of the callback has no query.`, {
    provider: name,
    remedy: 'Pass the URL that the browser asked for, with its query: the answer is in it.',
  })
}
