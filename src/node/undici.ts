/**
 * Loads the optional package undici, whose `fetch` supports custom connections.
 *
 * @module
 */
import { ConfigurationError } from '../errors.ts'

/** Converts the platform's `Request` and `FormData`, which undici's `fetch` does not accept. */
export async function plainRequest(
  input: string | URL | Request,
  init: RequestInit | undefined,
): Promise<[string | URL, RequestInit | undefined]> {
  if (!(input instanceof Request) && !(init?.body instanceof FormData)) return [input, init]
  const request = new Request(input, init)
  const body = request.body === null ? null : await request.arrayBuffer()
  const { method, headers, signal, redirect } = request
  return [request.url, { method, headers, signal, redirect, body }]
}

/**
 * Loads undici on demand.
 *
 * @throws `ConfigurationError` when it is not installed.
 */
export async function loadUndici(caller: string): Promise<typeof import('undici')> {
  try {
    return await import('undici')
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ERR_MODULE_NOT_FOUND') throw error
    throw new ConfigurationError('undici', `${caller}: the package undici is not installed.`, {
      remedy: 'Run `npm install undici`.',
    })
  }
}
