import { versions } from './peers.ts'
import { benchRenewals } from './renewals.ts'
import { benchRequests } from './requests.ts'
import { environment } from './rounds.ts'
import { benchHandOut, benchHeap, benchHmac, benchJwt } from './signing.ts'
import { benchStores } from './stores.ts'

console.log(`mcp-credentials benchmark: ${environment()}\n${versions()}`)
await benchHandOut()
await benchRenewals()
await benchJwt()
await benchHmac()
await benchHeap()
await benchStores()
await benchRequests()
