/**
 * Secrets that stand in a file as they are.
 *
 * @module
 */

// Names of headers, variables and parameters that carry secrets, whatever stands around these words.
const secretName =
  /(?:^|[-_.])(?:api[-_]?key|key|token|secret|password|passwd|passphrase|pat|credentials?|auth|authorization|cookie|session|signature)(?:$|[-_.\d])|apikey|accesstoken|authtoken|clientsecret|privatekey/i
// What tells about a secret, and is none.
const aboutSecret =
  /_(?:id|name|type|path|file|url|uri|header|method|scheme|expiry|expires|in|at|timeout|ttl|count|limit)$/i
// What says itself that it is one: prefixes of well-known issuers, JWTs, private keys.
const secretValue =
  /^(?:Bearer|Basic|Token)\s+\S|^(?:sk|pk|rk)[-_][A-Za-z0-9]|^gh[opsur]_|^github_pat_|^glpat-|^xox[a-z]-|^AKIA[A-Z0-9]{12}|^AIza|^npm_|^eyJ[\w-]+\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY/

/** Whether a name says that its value is a secret. */
export function isSecretName(name: string): boolean {
  const words = name.replace(/([a-z\d])([A-Z])/g, '$1_$2').replaceAll('-', '_')
  return secretName.test(words) && !aboutSecret.test(words)
}

/** Whether what stands in a file is a secret: `literal` is the text without what it reads from elsewhere. */
export function isLiteralSecret(name: string, literal: string): boolean {
  const value = literal.trim()
  // A scheme alone, as in `Bearer ${TOKEN}`, is none, nor are words that switch something on.
  if (/^(?:|bearer|basic|token|true|false|none|\d{1,5})$/i.test(value)) return false
  return secretValue.test(value) || (isSecretName(name) && !isPlace(value))
}

/** Whether a value is a path or a URL without a password; keys in base64 can begin with a slash, too. */
function isPlace(value: string): boolean {
  if (/^https?:\/\/[^@]*$/.test(value)) return true
  if (/^(?:~|\.{1,2})\//.test(value)) return true
  return /^(?:\/[\w.@ -]{1,64}){2,}\/?$/.test(value) && !/[^/]{24,}/.test(value)
}
