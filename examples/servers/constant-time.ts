import { createHash, timingSafeEqual } from 'node:crypto'

const digest = (text: string): Buffer => createHash('sha256').update(text, 'utf8').digest()

/** Compares two secrets in constant time, whatever their lengths. */
export function sameSecret(left: string, right: string): boolean {
  return timingSafeEqual(digest(left), digest(right))
}

/** The value of the entry whose key is `secret`; always compares against every key. */
export function findBySecret(
  entries: Readonly<Record<string, string>>,
  secret: string,
): string | undefined {
  let found: string | undefined
  // No early exit: the time taken must not tell which key matched.
  for (const [key, value] of Object.entries(entries)) {
    if (sameSecret(key, secret)) found = value
  }
  return found
}
