import { it } from 'vitest'
import { oauthWorld } from '../support/oauth-world.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { doctor } from './doctor-support.ts'

const challenge = ({ mcp }: { readonly mcp: string }) =>
  `resource_metadata="${mcp}/.well-known/oauth-protected-resource/mcp", scope="notes:read notes:write", error="invalid_token"`
const hostile = '\u001b]0;owned\u0007\u001b[2J\u202ecod.exe\u200b'
it('looks', async () => {
  const show = async (url: string, columns = 80) => {
    const { out, err, code } = await doctor(url, { columns, env: { NO_COLOR: '1' } })
    console.log(`\n#### ${code}\n${err}${out}`)
  }
  const a = await oauthWorld({
    challenge,
    resource: () => ({
      scopes_supported: [hostile, 'a'.repeat(5000)],
      dpop_bound_access_tokens_required: true,
    }),
    metadata: ({ issuer }) => ({
      grant_types_supported: ['authorization_code', hostile],
      token_endpoint_auth_methods_supported: [hostile],
      dpop_signing_alg_values_supported: [hostile],
      token_endpoint: 'https://tokens.example.net/token',
      registration_endpoint: undefined,
      revocation_endpoint: `${issuer}/r`,
    }),
  })
  await show(a.url)
  const b = await recordingOrigin((_q, r) =>
    r.writeHead(200, { 'content-type': 'text/html' }).end(`<title>${hostile}</title>`),
  )
  await show(`${b.origin}/mcp`)
  const c = await recordingOrigin((_q, r) => r.writeHead(401, {}).end(`nope`))
  await show(`${c.origin}/mcp`, 120)
  const d = await oauthWorld({
    challenge,
    resource: () => ({ resource: 'https://other.example.com/' }),
  })
  await show(d.url)
  const e = await oauthWorld({
    challenge,
    resource: () => ({ authorization_servers: ['https://10.255.255.1'] }),
  })
  await show(e.url)
  const f = await oauthWorld({ resource: null })
  await show(f.url)
  const g = await oauthWorld({
    challenge,
    metadata: () => ({
      code_challenge_methods_supported: undefined,
      device_authorization_endpoint: 'https://x.example.com/device',
    }),
  })
  await show(g.url)
}, 60000)
