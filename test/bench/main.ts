import { benchRequests } from './requests.ts'
import { environment } from './rounds.ts'

console.log(`mcp-credentials benchmark: ${environment()}`)
await benchRequests()
