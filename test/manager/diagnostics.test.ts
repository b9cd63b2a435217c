import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { expect, onTestFinished, test } from 'vitest'
import { bearer, type CredentialEvent, TokenManager } from '../../src/index.ts'

function listen(): CredentialEvent[] {
  const seen: CredentialEvent[] = []
  const listener = (message: unknown) => void seen.push(message as CredentialEvent)
  subscribe('mcp-credentials', listener)
  onTestFinished(() => void unsubscribe('mcp-credentials', listener))
  return seen
}

test('every event of every manager is published on the diagnostics channel', async () => {
  const own: CredentialEvent[] = []
  const seen = listen()
  const resource = 'https://diagnostics.example.com/mcp'
  const manager = new TokenManager(bearer('secret-token'), {
    resource,
    onEvent: (event) => own.push(event),
  })
  await manager.credential()
  await manager.close()
  const published = seen.filter((event) => event.resource === resource)
  expect(published.map(({ type }) => type)).toEqual(['acquire_start', 'acquire_success', 'closed'])
  expect(published).toHaveLength(own.length)
  for (const [index, event] of published.entries()) expect(event).toBe(own[index])
  expect(JSON.stringify(published)).not.toContain('secret-token')
})

test('the diagnostics channel works without an `onEvent` listener', async () => {
  const seen = listen()
  const resource = 'https://alone.example.com/mcp'
  await new TokenManager(bearer('token'), { resource }).credential()
  expect(seen.filter((event) => event.resource === resource)).toHaveLength(2)
})
