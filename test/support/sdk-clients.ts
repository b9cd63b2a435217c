import { Client as Client2 } from '@modelcontextprotocol/client'
import { Client as Client1 } from '@modelcontextprotocol/sdk/client/index.js'

const info = { name: 'test', version: '1.0.0' }

/** Makes a client of each version of the SDK. */
export const clients = [
  { version: '1.x', make: () => new Client1(info) },
  { version: '2.x', make: () => new Client2(info) },
]

/** Clients that speak the stateless protocol as well, or nothing else. */
export const negotiatingClients = [
  {
    version: '2.x (negotiating)',
    make: () => new Client2(info, { versionNegotiation: { mode: 'auto' } }),
  },
  {
    version: '2.x (pinned)',
    make: () => new Client2(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
  },
]
