import { describe, expect, test } from 'vitest'
import {
  authorizedFetch,
  type CredentialEvent,
  type CredentialProvider,
  parseChallenges,
} from '../../src/index.ts'
import { withoutEchoes } from '../../src/transport/echoed-credential.ts'

const token = 'ghp_9f8e7d6c5b4a39281706f5e4d3c2b1a0'

function scopeAfter(header: readonly [string, string], scope: string): string | undefined {
  const [challenge] = withoutEchoes(parseChallenges(`Bearer scope="${scope}"`), [header])
  return challenge?.parameters.get('scope')
}

describe('a challenge', () => {
  test.each([
    ['the access token', ['authorization', `Bearer ${token}`], token],
    ['the access token among other scopes', ['authorization', `Bearer ${token}`], `a ${token} b`],
    ['a part of the access token', ['authorization', `Bearer ${token}`], token.slice(4, 24)],
    ['the access token in upper case', ['authorization', `Bearer ${token}`], token.toUpperCase()],
    ['an API key with percent-encoding', ['x-api-key', 'key:of-alice'], 'key%3Aof-alice'],
    ['a password', ['authorization', `Basic ${btoa('alice:correct horse')}`], 'correct horse'],
  ] as const)('loses a scope that repeats %s', (_what, header, scope) => {
    expect(scopeAfter(header, scope)).toBeUndefined()
  })

  test('keeps a scope that has nothing to do with the credential', () => {
    expect(scopeAfter(['authorization', `Bearer ${token}`], 'files:read files:write')).toBe(
      'files:read files:write',
    )
  })

  test('of another scheme may repeat what was sent, as Digest does', () => {
    const digest = parseChallenges('Digest nonce="0123456789abcdef01"')
    const sent = [['authorization', 'Digest nonce="0123456789abcdef01"']] as const
    expect(withoutEchoes(digest, sent)).toEqual(digest)
  })
})

describe.each([401, 403])('a server that names the credential as a scope with %d', (status) => {
  test.each(['header', 'query'])('reaches no provider and no event, for a %s', async (place) => {
    const seen: unknown[] = []
    const provider: CredentialProvider = {
      name: 'probe',
      scoped: true,
      acquire(context) {
        seen.push(context.scope, context.challenges)
        return Promise.resolve({
          expiresAt: Date.now() + 60_000,
          apply(request) {
            if (place === 'header') request.headers.set('Authorization', `Bearer ${token}`)
            else request.url.searchParams.set('api_key', token)
          },
        })
      },
    }
    const events: CredentialEvent[] = []
    const fetch = authorizedFetch(provider, {
      resource: 'https://mcp.example.com/mcp',
      onEvent: (event) => events.push(event),
      fetch: async () =>
        new Response(null, {
          status,
          headers: {
            'WWW-Authenticate': `Bearer error="insufficient_scope", scope="${token}"`,
          },
        }),
    })
    expect((await fetch('https://mcp.example.com/mcp')).status).toBe(status)
    const shown = JSON.stringify([seen, events], (_key, value: unknown) =>
      value instanceof Map ? [...value] : value,
    )
    expect(shown).not.toContain(token)
    expect(events.length).toBeGreaterThan(1)
    await fetch.close()
  })
})
