import { readFileSync } from 'node:fs'

const measured = [
  '@ai-sdk/mcp',
  '@azure/core-rest-pipeline',
  '@badgateway/oauth2-client',
  '@modelcontextprotocol/client',
  '@modelcontextprotocol/sdk',
  '@smithy/core',
  'fast-jwt',
  'google-auth-library',
  'http-message-sig',
  'http-message-signatures',
  'jose',
  'jsonwebtoken',
  'mcp-remote',
]

/** The versions of everything that is measured. */
export function versions(): Record<string, string> {
  const modules = new URL('../../node_modules/', import.meta.url)
  const described = measured.map((name) => {
    const manifest = readFileSync(new URL(`${name}/package.json`, modules), 'utf8')
    return [name, (JSON.parse(manifest) as { version: string }).version] as const
  })
  return Object.fromEntries(described)
}
