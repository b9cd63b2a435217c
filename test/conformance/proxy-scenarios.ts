// Which of the suite's scenarios for clients are played through the proxy, and how.

/** How a scenario is played through the proxy, or why it is not. */
export type ProxyPlay =
  | {
      /** `command`: the built `mcp-credentials proxy`. `bridge`: `stdioBridge` with the provider of the scenario. */
      readonly proxy: 'command' | 'bridge'
      /** `session`: MCP 2025-11-25, with `initialize`. `stateless`: MCP 2026-07-28. */
      readonly wire: 'session' | 'stateless'
    }
  | { readonly skipped: string }

const session = { proxy: 'command', wire: 'session' } as const
const stateless = { proxy: 'command', wire: 'stateless' } as const
const bridge = { proxy: 'bridge', wire: 'stateless' } as const
const skills = {
  skipped: 'what a client makes of the skills that it has read; a proxy passes them on unread',
} as const

const plays: Readonly<Record<string, ProxyPlay>> = {
  'request-metadata': stateless,
  'sep-2322-client-request-state': stateless,
  'http-standard-headers': stateless,
  'http-custom-headers': stateless,
  'http-invalid-tool-headers': stateless,
  'json-schema-ref-no-deref': stateless,
  'json-schema-2020-12-preservation': stateless,
  'sep-2640-client-no-prefetch': skills,
  'sep-2640-client-verify-digest': skills,
  'sep-2640-client-verify-size': skills,
  'sep-2640-client-verify-frontmatter': skills,
  // The command has no word for the address of the client's metadata, nor for a client's own secret or key.
  'auth/basic-cimd': bridge,
  'auth/pre-registration': bridge,
  'auth/client-credentials-jwt': bridge,
  'auth/client-credentials-basic': bridge,
  'auth/enterprise-managed-authorization': bridge,
  'auth/dpop': bridge,
  'auth/dpop-nonce': bridge,
  'auth/wif-jwt-bearer': bridge,
  // These want another login at once, which the command leaves to `mcp-credentials login`.
  'auth/scope-step-up': bridge,
  'auth/authorization-server-migration': bridge,
}

/** How a scenario is played: by the command and in the older protocol, unless there is a reason. */
export function proxyPlay(name: string): ProxyPlay {
  return plays[name] ?? session
}
