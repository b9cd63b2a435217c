/**
 * Publishes events for observers of the whole process, such as OpenTelemetry.
 *
 * @module
 */
import { nodeBuiltin } from '../encoding.ts'
import type { CredentialEvent } from '../events.ts'

interface Channel {
  readonly hasSubscribers: boolean
  publish(message: CredentialEvent): void
}
interface DiagnosticsChannel {
  channel(name: string): Channel
}

/** The name of the channel of `node:diagnostics_channel` on which every event is published. */
export const diagnosticsChannelName = 'mcp-credentials'

// One for the process: subscribers may be added and removed at any time.
let channel: Channel | undefined

/** Whether the channel has subscribers; outside Node it has none. */
export function isObserved(): boolean {
  channel ??= nodeBuiltin<DiagnosticsChannel>('node:diagnostics_channel')?.channel(
    diagnosticsChannelName,
  )
  return channel?.hasSubscribers === true
}

/** Publishes an event. Node reports the error of a subscriber as uncaught, and continues. */
export function publish(event: CredentialEvent): void {
  channel?.publish(event)
}
