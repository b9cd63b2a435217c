/**
 * Challenges that repeat the credential: scopes are shown in messages and events, sent to the authorization
 * server and written into URLs, so a hostile server must not choose the credential as a scope.
 *
 * @module
 */
import type { Challenge } from '../credential.ts'
import type { Call } from './call.ts'
import type { Outgoing } from './outgoing.ts'

/** Shorter values occur in honest challenges too. */
const shortestSecret = 8
/** A parameter that shares this many characters in a row with a longer secret repeats a part of it. */
const windowLength = 16

/** Returns the headers and query parameters that the credential has added to a request. */
export function credentialOf(
  { headers, destination }: Outgoing,
  call: Call,
): readonly (readonly [string, string])[] {
  const query = [...new URL(destination).searchParams]
  const added = query.filter(([name, value]) => call.url.searchParams.get(name) !== value)
  return [...headers].filter(([name, value]) => call.headers.get(name) !== value).concat(added)
}

/**
 * Returns the challenges without the parameters of `Bearer` and `DPoP` that repeat a header's value. Other
 * schemes may repeat what the client has sent, as Digest does.
 *
 * @param sent - The names and values of what the credential has added to the request.
 */
export function withoutEchoes(
  challenges: readonly Challenge[],
  sent: Iterable<readonly [string, string]>,
): Challenge[] {
  const secrets = allSecrets(sent)
  return challenges.map((challenge) => {
    if (challenge.scheme !== 'bearer' && challenge.scheme !== 'dpop') return challenge
    const kept = [...challenge.parameters].filter(
      (parameter) => !parameter.some((text) => repeats(text, secrets)),
    )
    return { ...challenge, parameters: new Map(kept) }
  })
}

/** Whether a text that the server has chosen repeats the credential, or a part of it. */
export function isEcho(text: string, sent: Iterable<readonly [string, string]>): boolean {
  return repeats(text, allSecrets(sent))
}

function allSecrets(sent: Iterable<readonly [string, string]>): readonly string[] {
  return [...sent].flatMap(([, value]) => secretsOf(value))
}

function secretsOf(header: string): readonly string[] {
  const parts = header.split(/[\s,;"]+/)
  const all = [header, ...parts, ...parts.flatMap(basicPassword)]
  return all.filter(({ length }) => length >= shortestSecret).map((part) => part.toLowerCase())
}

function basicPassword(encoded: string, index: number, [scheme]: readonly string[]): string[] {
  if (index !== 1 || scheme?.toLowerCase() !== 'basic') return []
  try {
    return [atob(encoded).replace(/^[^:]*:/, '')]
  } catch {
    return []
  }
}

function repeats(text: string, secrets: readonly string[]): boolean {
  return [text, percentDecoded(text)].some((spelling) => {
    const shown = spelling.toLowerCase()
    return secrets.some((secret) => {
      const length = Math.min(secret.length, windowLength)
      for (let at = 0; at + length <= shown.length; at += 1) {
        if (secret.includes(shown.slice(at, at + length))) return true
      }
      return false
    })
  })
}

function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
