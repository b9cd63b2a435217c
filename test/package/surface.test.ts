import { describe, expect, it } from 'vitest'

describe('the public surface', () => {
  it('of mcp-credentials is this', async () => {
    expect(Object.keys(await import('mcp-credentials')).sort()).toMatchInlineSnapshot(`
      [
        "ConfigurationError",
        "CredentialError",
        "LoginRequiredError",
        "TokenManager",
        "all",
        "apiKey",
        "authorizedFetch",
        "basic",
        "bearer",
        "command",
        "custom",
        "env",
        "file",
        "firstAvailable",
        "headers",
        "isCredentialError",
        "parseChallenges",
        "rotating",
        "withCredentials",
      ]
    `)
  })

  it('of mcp-credentials/mcp is this', async () => {
    expect(Object.keys(await import('mcp-credentials/mcp')).sort()).toMatchInlineSnapshot(`
      [
        "connect",
      ]
    `)
  })
})
