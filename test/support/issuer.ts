import type { AcquireContext, Credential, CredentialProvider } from '../../src/index.ts'
import { type Deferred, deferred } from './clock.ts'

/** A provider whose answers the test gives, one by one. */
export interface Issuer {
  readonly provider: CredentialProvider
  /** The context of every acquisition, in order. */
  readonly contexts: AcquireContext[]
  /** Answers the oldest acquisition that waits, with a token of this life in seconds. */
  grant(lifeSeconds?: number, extra?: Partial<Credential>): Credential
  /** Answers the oldest acquisition that waits, with an error. */
  fail(error: unknown): void
  /** How many acquisitions wait for an answer. */
  readonly waiting: number
}

export function testIssuer(traits: Partial<CredentialProvider> = {}): Issuer {
  const contexts: AcquireContext[] = []
  const queue: { readonly context: AcquireContext; readonly answer: Deferred<Credential> }[] = []
  const next = () => {
    const waiting = queue.shift()
    if (waiting === undefined) throw new Error('nobody asked the issuer')
    return waiting
  }
  return {
    contexts,
    get waiting() {
      return queue.length
    },
    provider: {
      name: 'issuer',
      ...traits,
      acquire(context) {
        const answer = deferred<Credential>()
        contexts.push(context)
        queue.push({ context, answer })
        return answer.promise
      },
    },
    grant(lifeSeconds, extra = {}) {
      const { context, answer } = next()
      const credential: Credential = {
        ...(lifeSeconds === undefined ? {} : { expiresAt: context.now() + lifeSeconds * 1000 }),
        apply: ({ headers }) => headers.set('Authorization', `Bearer token-${contexts.length}`),
        ...extra,
      }
      answer.resolve(credential)
      return credential
    },
    fail(error) {
      next().answer.reject(error)
    },
  }
}
