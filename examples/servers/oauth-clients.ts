/** A client as RFC 7591 describes it. */
export interface ClientMetadata {
  readonly client_id: string
  readonly [member: string]: unknown
}

const grantNames: Readonly<Record<string, string>> = {
  'jwt-bearer': 'urn:ietf:params:oauth:grant-type:jwt-bearer',
  'token-exchange': 'urn:ietf:params:oauth:grant-type:token-exchange',
  'device-code': 'urn:ietf:params:oauth:grant-type:device_code',
}

/** A client with a grant of its own, and no browser. */
export function machineClient(
  id: string,
  grants: readonly string[],
  more: Readonly<Record<string, unknown>> = { token_endpoint_auth_method: 'none' },
): ClientMetadata {
  const grant_types = grants.map((grant) => grantNames[grant] ?? grant)
  return { client_id: id, grant_types, response_types: [], redirect_uris: [], ...more }
}

/** A client without a secret that sends its user to a browser. */
export function publicClient(id: string, redirectUri: string): ClientMetadata {
  return {
    client_id: id,
    token_endpoint_auth_method: 'none',
    application_type: redirectUri.startsWith('https:') ? 'web' : 'native',
    redirect_uris: [redirectUri],
    grant_types: ['authorization_code', 'refresh_token'],
  }
}
