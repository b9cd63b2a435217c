import assert from 'node:assert/strict'
import type { CredentialProvider } from 'mcp-credentials'

/** One thing that must hold. */
export interface RuntimeCase {
  readonly name: string
  run(): Promise<void>
}

/** A secret. */
export const key = 'k-5f2d90e1c7'
/** An ordinary request. */
export const post = { method: 'POST', body: '{"jsonrpc":"2.0","id":1,"method":"ping"}' }

/** Numbers its tokens and counts the acquisitions. */
export function numbered(): CredentialProvider & { readonly issued: string[] } {
  const issued: string[] = []
  return {
    name: 'numbered',
    issued,
    async acquire({ now }) {
      const token = `token-${issued.length + 1}`
      issued.push(token)
      await new Promise((resolve) => setTimeout(resolve, 30))
      return {
        expiresAt: now() + 3_600_000,
        apply: ({ headers: given }) => given.set('Authorization', `Bearer ${token}`),
      }
    },
  }
}

/** Everything that an error shows to whoever prints it. */
export function everythingIn(error: unknown, depth = 0): string {
  if (typeof error !== 'object' || error === null || depth > 5) return String(error)
  const values = Object.getOwnPropertyNames(error).map((name) =>
    everythingIn((error as Record<string, unknown>)[name], depth + 1),
  )
  return [String(error), ...values].join('\n')
}

/** What a promise is rejected with. */
export async function errorOf(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise
  } catch (error) {
    return error as Error
  }
  throw new assert.AssertionError({ message: 'There was no error.' })
}
