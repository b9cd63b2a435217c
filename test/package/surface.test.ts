import { describe, expect, it } from 'vitest'

describe('the public surface', () => {
  it('of mcp-credentials is this', async () => {
    expect(Object.keys(await import('mcp-credentials')).sort()).toMatchInlineSnapshot(`
      [
        "ConfigurationError",
        "CredentialError",
        "DiscoveryError",
        "LoginRequiredError",
        "StoreError",
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
        "fromCommand",
        "fromGoogleAuth",
        "fromTokenCredential",
        "generateSigningKey",
        "headers",
        "hmac",
        "httpSignature",
        "isCredentialError",
        "jwt",
        "parseChallenges",
        "perTenant",
        "rotating",
        "withCredentials",
      ]
    `)
  })

  it('of mcp-credentials/mcp is this', async () => {
    expect(Object.keys(await import('mcp-credentials/mcp')).sort()).toMatchInlineSnapshot(`
      [
        "connect",
        "stdioEnvironment",
        "toAuthProvider",
        "toOAuthClientProvider",
        "withToolArguments",
      ]
    `)
  })

  it('of mcp-credentials/oauth is this', async () => {
    expect(Object.keys(await import('mcp-credentials/oauth')).sort()).toMatchInlineSnapshot(`
      [
        "authorizationCode",
        "clientCredentials",
        "clientMetadataDocument",
        "deviceCode",
        "discover",
        "enterpriseManaged",
        "jwtBearer",
        "oauthExtensions",
        "privateKeyJwt",
        "refreshToken",
        "savedLogin",
        "tokenEndpoint",
        "tokenExchange",
      ]
    `)
  })

  it('of the stores is this', async () => {
    const surface = async (name: string) =>
      Object.keys(await import(`mcp-credentials/${name}`)).sort()
    expect(await surface('file')).toEqual(['encryptedFileStore'])
    expect(await surface('keychain')).toEqual(['keychainEntry', 'keychainStore', 'napiKeyring'])
    expect(await surface('redis')).toEqual(['redisStore'])
    expect(await surface('migrate')).toEqual(['findKeychainLogins', 'findMcpRemoteLogins'])
    expect(await surface('testing')).toEqual([
      'acquireContext',
      'memoryStore',
      'providerContract',
      'storeContract',
      'testAuthorizationServer',
      'testMcpServer',
      'testServers',
    ])
  })

  it('of mcp-credentials/aws is this', async () => {
    expect(Object.keys(await import('mcp-credentials/aws')).sort()).toEqual(['awsSigV4'])
  })

  it('of mcp-credentials/node is this', async () => {
    expect(Object.keys(await import('mcp-credentials/node')).sort()).toEqual([
      'mutualTls',
      'publicFetch',
    ])
  })
})
