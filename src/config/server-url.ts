/**
 * Expands and checks the URL of a server.
 *
 * @module
 */
import { isCredentialError } from '../errors.ts'
import { isLoopback } from '../transport/origin.ts'
import type { FileContext } from './file-context.ts'
import { isLiteralSecret } from './literal-secrets.ts'
import { expand, parseTemplate } from './template.ts'

/** A valid URL, or its problem. */
export type ServerUrl = { readonly url: URL } | { readonly problem: string }

/**
 * Expands and checks a URL.
 *
 * @param isTrusted - Whether the URL may contain variables; the author of an untrusted file could send
 *   their values to any server.
 */
export function serverUrl(
  written: string,
  isTrusted: boolean,
  fileContext: FileContext,
): ServerUrl {
  const template = parseTemplate(written)
  if (template.problem !== undefined) return { problem: `its URL ${template.problem}` }
  if (!isTrusted && template.parts.some((part) => typeof part !== 'string')) {
    return { problem: 'its URL contains variables, and its file is not trusted' }
  }
  try {
    return checked(expand(written, fileContext))
  } catch (error) {
    return {
      problem: `its URL cannot be expanded: ${isCredentialError(error) ? error.message : ''}`,
    }
  }
}

/** The most UTF-16 code units of a URL; servers and proxies accept no longer ones. */
const longestUrl = 8_192

function checked(text: string): ServerUrl {
  if (text.length > longestUrl) {
    return { problem: `its URL is longer than ${longestUrl} characters` }
  }
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (url === undefined) return { problem: 'its URL is not valid' }
  const isLocal = url.protocol === 'http:' && isLoopback(url.hostname)
  if (url.protocol !== 'https:' && !isLocal) {
    return { problem: 'its URL must start with https://, or with http:// on this machine' }
  }
  if (url.username !== '' || url.password !== '') {
    const remedy = 'write `"auth": { "provider": "basic", … }`'
    return { problem: `its URL must not contain a user name or password; ${remedy}` }
  }
  return { url }
}

/** Whether the query of a URL, as written, contains a literal secret. */
export function hasSecretQuery(written: string): boolean {
  const [, query = ''] = /\?([^#]*)/.exec(written) ?? []
  return query.split('&').some((pair) => {
    const [name = '', ...value] = pair.split('=')
    return isLiteralSecret(name, value.join('=').replace(/\$\{[^{}]*\}/g, ''))
  })
}

/** The form in which URLs of servers are compared: origin and path, without trailing slashes. */
export function comparableUrl({ origin, pathname }: URL): string {
  let end = pathname.length
  // A regular expression would take quadratic time.
  while (pathname[end - 1] === '/') end -= 1
  return `${origin}${pathname.slice(0, end)}`
}
