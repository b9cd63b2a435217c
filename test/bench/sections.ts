import { benchBundles } from './bundles.ts'
import { benchCommand, benchImports } from './cold-starts.ts'
import { benchCallers, benchProcessGrowth, benchTenants } from './growth.ts'
import { benchHandOut } from './hand-out.ts'
import { benchLogins } from './logins.ts'
import { benchMemory } from './memory.ts'
import { benchJwt } from './minting.ts'
import { benchProxies } from './proxies.ts'
import { benchRenewals } from './renewals.ts'
import type { Table } from './report.ts'
import { benchLoopback, benchStubbed } from './requests.ts'
import { benchSigning } from './signing.ts'
import { benchStores } from './stores.ts'

/** Everything that can be measured; each runs in a process of its own, and its tables stand in a guide. */
export const sections: Readonly<Record<string, () => Promise<Table[]>>> = {
  request: benchStubbed,
  'tool-call': benchLoopback,
  'hand-out': benchHandOut,
  minting: benchJwt,
  signing: benchSigning,
  storms: benchRenewals,
  logins: benchLogins,
  stores: benchStores,
  'cold-start': benchImports,
  command: benchCommand,
  memory: benchMemory,
  tenants: benchTenants,
  callers: benchCallers,
  processes: benchProcessGrowth,
  proxies: benchProxies,
  bundles: benchBundles,
}
