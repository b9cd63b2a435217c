const issuer = 'https://login.example.com'

/** A block for each provider that a config file can name. */
export const authBlocks: readonly (Readonly<Record<string, unknown>> & {
  readonly provider: string
})[] = [
  { provider: 'apiKey', value: 'env:MCP_API_KEY', header: 'X-API-Key' },
  { provider: 'bearer', token: 'keychain:agent/crm' },
  { provider: 'basic', username: 'agent', password: 'file:/run/secrets/password' },
  { provider: 'headers', headers: { 'X-Tenant': 'acme', 'X-Token': 'env:T' } },
  { provider: 'fromCommand', command: ['az', 'account', 'get-access-token'], timeout: 10 },
  { provider: 'hmac', secret: 'env:S', scheme: 'method-path-body', keyId: 'k', hash: 'sha512' },
  {
    provider: 'httpSignature',
    keyId: 'k',
    algorithm: 'ed25519',
    key: 'file:/k.pem',
    components: ['@method', '@authority'],
    digest: 'sha-512',
  },
  {
    provider: 'jwt',
    algorithm: 'HS256',
    secret: 'env:S',
    audience: ['a', 'b'],
    claims: { roles: ['x'] },
  },
  {
    provider: 'awsSigV4',
    region: 'eu-west-1',
    service: 'lambda',
    credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'env:AWS_SECRET' },
  },
  { provider: 'savedLogin', clientId: 'a', clientSecret: 'env:S', issuer },
  {
    provider: 'clientCredentials',
    clientId: 'a',
    issuer,
    clientAuth: { method: 'platform', assertion: 'file:/var/run/token' },
    parameters: { audience: 'crm' },
  },
  {
    provider: 'authorizationCode',
    clientName: 'Agent',
    dpop: { required: true },
    redirectUri: 'http://127.0.0.1:8123/callback',
  },
  { provider: 'deviceCode', clientId: 'a', scope: 'a b' },
  {
    provider: 'refreshToken',
    clientId: 'a',
    issuer,
    refreshToken: { command: ['op', 'read', 'op://agents/crm'] },
    allow: { issuers: [issuer] },
  },
  {
    provider: 'tokenExchange',
    clientId: 'a',
    clientSecret: 'env:S',
    issuer,
    subjectToken: 'file:/t',
    resource: false,
  },
  { provider: 'workload', clientId: 'a', issuer, audience: 'crm' },
  { provider: 'jwtBearer', clientId: 'a', issuer, assertion: 'file:/var/run/token' },
  {
    provider: 'enterpriseManaged',
    clientId: 'a',
    identityProvider: { issuer: 'https://idp.example.com', clientId: 'b' },
    subjectToken: 'env:T',
  },
  {
    provider: 'tokenEndpoint',
    url: 'https://api.example.com/token',
    fields: { id: 'agent-7', secret: 'env:S' },
    format: 'form',
  },
  {
    provider: 'all',
    providers: [
      { provider: 'bearer', token: 'env:T' },
      { provider: 'headers', headers: { 'X-Tenant': 'acme' } },
    ],
  },
  { provider: 'firstAvailable', providers: [{ provider: 'bearer', token: 'env:T' }] },
  {
    provider: 'rotating',
    providers: [
      { provider: 'apiKey', value: 'env:A' },
      { provider: 'apiKey', value: 'env:B' },
    ],
  },
]
