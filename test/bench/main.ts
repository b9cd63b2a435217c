import { benchRequests } from './requests.ts'
import { environment } from './rounds.ts'
import { benchHandOut, benchHeap, benchHmac, benchJwt } from './signing.ts'

console.log(`mcp-credentials benchmark: ${environment()}`)
await benchHandOut()
await benchJwt()
await benchHmac()
await benchHeap()
await benchRequests()
