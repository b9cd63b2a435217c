import { createHash, randomUUID } from 'node:crypto'
import type express from 'express'
import { jwtVerify, SignJWT } from 'jose'

/** A user who is signed in to the application, and the session in which they are. */
export interface Session {
  readonly user: string
  readonly id: string
}

/** How cookies are set. */
export const cookieOptions = {
  httpOnly: true,
  // The way back from the authorization server is a navigation from another site; `strict` would lose it.
  sameSite: 'lax',
  // On this machine there is no https; set it to `true` anywhere else.
  secure: false,
} as const

const key = createHash('sha256')
  .update(process.env['SESSION_KEY'] ?? '')
  .digest()

/** Begins a session. A real application asks for a password first, or uses OpenID Connect. */
export async function beginSession(response: express.Response, user: string): Promise<void> {
  const claims = new SignJWT({ sub: user, jti: randomUUID() })
  const token = await claims.setProtectedHeader({ alg: 'HS256' }).sign(key)
  response.cookie('session', token, cookieOptions)
}

/** The session of a request; `undefined`: no user is signed in. */
export async function sessionOf(request: express.Request): Promise<Session | undefined> {
  try {
    const { payload } = await jwtVerify(cookieOf(request, 'session') ?? '', key)
    return { user: String(payload.sub), id: String(payload.jti) }
  } catch {
    return undefined
  }
}

/** The value of a cookie; `undefined`: there is none. */
export function cookieOf(request: express.Request, name: string): string | undefined {
  const pairs = (request.get('cookie') ?? '').split('; ').map((pair) => pair.split('='))
  return pairs.find(([cookie]) => cookie === name)?.[1]
}
