/**
 * A web application whose users log in to MCP servers.
 *
 * @module
 */
import { randomBytes } from 'node:crypto'
import type { CredentialError, CredentialStore } from '../../src/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { type WebLogins, type WebLoginsOptions, webLogins } from '../../src/web/index.ts'
import { oauthWorld, type Script, tokenAnswer, type World } from './oauth-world.ts'

export const redirectUri = 'https://app.example.com/callback'
export const alice = { account: 'alice', session: 'session of alice' }
export const bob = { account: 'bob', session: 'session of bob' }

export const of = ({ session }: { readonly session: string }) => ({ session })

export interface Application {
  readonly world: World
  readonly store: CredentialStore
  readonly logins: WebLogins
  /** The same application in another process. */
  restarted(more?: object): WebLogins
}

export async function application(script: Script = {}, more: object = {}): Promise<Application> {
  const withRefresh: Script = {
    token: (_params, count) => ({
      body: tokenAnswer(count, { refresh_token: `refresh-${count}` }),
    }),
    ...script,
  }
  const world = await oauthWorld(withRefresh)
  const store = memoryStore()
  const key = randomBytes(32).toString('base64')
  const restarted = (other: object = {}) =>
    webLogins({ key, redirectUri, store, ...more, ...other } as WebLoginsOptions)
  return { world, store, logins: restarted(), restarted }
}

/** Plays the user's browser, and returns where the authorization server sends it. */
export async function visit(url: URL): Promise<URL> {
  const response = await fetch(url, { redirect: 'manual' })
  return new URL(response.headers.get('location') ?? '')
}

export const errorOf = (promise: Promise<unknown>): Promise<CredentialError> =>
  promise.then(
    () => Promise.reject(new Error('it succeeded')),
    (error: CredentialError) => error,
  )
