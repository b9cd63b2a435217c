/**
 * Detects literal secrets in config files.
 *
 * @module
 */

// Parts of the names of headers, variables and parameters that contain secrets.
const secretName =
  /(?:^|[-_.])(?:api[-_]?key|key|token|secret|password|passwd|passphrase|pat|credentials?|auth|authorization|cookie|session|signature)(?:$|[-_.\d])|apikey|accesstoken|authtoken|clientsecret|privatekey/i
// Suffixes of names that describe a secret and do not contain it.
const aboutSecret =
  /_(?:id|name|type|path|file|url|uri|header|method|scheme|expiry|expires|in|at|timeout|ttl|count|limit)$/i
// Values that are recognizable as secrets: prefixes of known issuers, JWTs, private keys.
const secretValue =
  /^(?:Bearer|Basic|Token)\s+\S|^(?:sk|pk|rk)[-_][A-Za-z0-9]|^gh[opsur]_|^github_pat_|^glpat-|^xox[a-z]-|^AKIA[A-Z0-9]{12}|^AIza|^npm_|^eyJ[\w-]+\.eyJ|-----BEGIN [A-Z ]*PRIVATE KEY/

/** Whether a name indicates that its value is a secret. */
export function isSecretName(name: string): boolean {
  const words = name.replace(/([a-z\d])([A-Z])/g, '$1_$2').replaceAll('-', '_')
  return secretName.test(words) && !aboutSecret.test(words)
}

/** Whether a literal value is a secret; `literal` is the text without its references. */
export function isLiteralSecret(name: string, literal: string): boolean {
  const value = literal.trim()
  // A scheme without a token, as in `Bearer ${TOKEN}`, and switches such as `true` are not secrets.
  if (/^(?:|bearer|basic|token|true|false|none|\d{1,5})$/i.test(value)) return false
  return secretValue.test(value) || (isSecretName(name) && !isPlace(value))
}

/** Whether a value is a path or a URL without a password; base64 keys may start with a slash too. */
function isPlace(value: string): boolean {
  if (/^https?:\/\/[^@]*$/.test(value)) return true
  if (/^(?:~|\.{1,2})\//.test(value)) return true
  return /^(?:\/[\w.@ -]{1,64}){2,}\/?$/.test(value) && !/[^/]{24,}/.test(value)
}
