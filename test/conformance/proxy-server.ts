// A proxy with the provider that a scenario needs, where the command has no words for it.
import { stdioBridge } from 'mcp-credentials/node'
import { providerFor } from './providers.ts'

const url = new URL(process.argv.at(-1) ?? '')
const { stdin: input, stdout: output } = process
await stdioBridge(await providerFor(url), { resource: url, input, output }).ended
