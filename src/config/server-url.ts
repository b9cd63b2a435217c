/**
 * The URL of a server: expanded, and checked before anything is sent there.
 *
 * @module
 */
import { isCredentialError } from '../errors.ts'
import { isLoopback } from '../transport/origin.ts'
import { isLiteralSecret } from './literal-secrets.ts'
import type { Surroundings } from './surroundings.ts'
import { expand, parseTemplate } from './template.ts'

/** A URL that can be used, or why there is none, in words. */
export type ServerUrl = { readonly url: URL } | { readonly problem: string }

/**
 * Expands and checks a URL.
 *
 * @param isTrusted - Whether the file may use the environment: what its author chose as path or host would send
 * a variable to a server of their choice.
 */
export function serverUrl(
  written: string,
  isTrusted: boolean,
  surroundings: Surroundings,
): ServerUrl {
  const template = parseTemplate(written)
  if (template.problem !== undefined) return { problem: `its URL ${template.problem}` }
  if (!isTrusted && template.parts.some((part) => typeof part !== 'string')) {
    return { problem: 'its URL is made of variables, and its file is not trusted' }
  }
  try {
    return checked(expand(written, surroundings))
  } catch (error) {
    return { problem: `its URL cannot be made: ${isCredentialError(error) ? error.message : ''}` }
  }
}

/** In UTF-16 code units; servers and proxies take no more. */
const longestUrl = 8_192

function checked(text: string): ServerUrl {
  if (text.length > longestUrl) {
    return { problem: `its URL is longer than ${longestUrl} characters` }
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return { problem: 'its URL is no URL' }
  const isLocal = url.protocol === 'http:' && isLoopback(url.hostname)
  if (url.protocol !== 'https:' && !isLocal) {
    return { problem: 'its URL must begin with https://, or http:// on this machine' }
  }
  if (url.username !== '' || url.password !== '') {
    const remedy = 'write `"auth": { "provider": "basic", … }`'
    return { problem: `its URL must not contain a user name or password; ${remedy}` }
  }
  return { url }
}

/** Whether a URL, as it is written, holds a secret in its query. */
export function hasSecretQuery(written: string): boolean {
  const [, query = ''] = /\?([^#]*)/.exec(written) ?? []
  return query.split('&').some((pair) => {
    const [name = '', ...value] = pair.split('=')
    return isLiteralSecret(name, value.join('=').replace(/\$\{[^{}]*\}/g, ''))
  })
}

/** The form in which two URLs of servers are compared: origin and path, without the slash at the end. */
export function comparableUrl({ origin, pathname }: URL): string {
  let end = pathname.length
  // A pattern would look for the end from each slash anew.
  while (pathname[end - 1] === '/') end -= 1
  return `${origin}${pathname.slice(0, end)}`
}
