import { type AcquireContext, type CredentialProvider, custom } from '../../src/index.ts'

export interface CountingProvider extends CredentialProvider {
  /** Why each credential was acquired, in order. */
  readonly reasons: AcquireContext['reason'][]
}

/** A provider whose n-th credential is the bearer token `token-n`. */
export function countingTokens(): CountingProvider {
  const reasons: AcquireContext['reason'][] = []
  const provider = custom({
    name: 'counting',
    acquire({ reason }) {
      reasons.push(reason)
      const token = `token-${reasons.length}`
      return { apply: ({ headers }) => headers.set('Authorization', `Bearer ${token}`) }
    },
  })
  return { ...provider, reasons }
}

/** Waits until a condition holds, for what happens in a background stream. */
export async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`Not within 10 s: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
