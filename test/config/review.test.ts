import { describe, expect, test } from 'vitest'
import { project } from './project.ts'

const url = 'https://crm.example.com/mcp'

/** What a person is shown of one entry. */
async function usesOf(entry: object): Promise<readonly string[]> {
  const { load } = await project({ '.mcp.json': { mcpServers: { crm: entry } } })
  const config = await load()
  const [reviewed] = config.review(config.files[0]?.path ?? '')
  return reviewed?.uses ?? []
}

describe('the review of a config file shows what decides what runs', () => {
  test.each([
    ['CLASSPATH', 'sk-e/evil.jar'],
    ['OPENSSL_CONF', 'sk-e/openssl.cnf'],
    ['DOTNET_STARTUP_HOOKS', 'pk_e/x.dll'],
    ['SSH_AUTH_SOCK', 'evil.sock'],
    ['CLASSPATH', 'sk-evil0123456789abcdef'],
    ['SOME_PLUGIN', 'Bearer x'],
  ])('in the variable %s, whatever its value %s looks like', async (name, value) => {
    expect(await usesOf({ command: 'a', env: { [name]: value } })).toContain(
      `sets ${name} to ${value}`,
    )
  })

  test.each(['sk-e', 'Bearer x', 'sk-e/token'])('as the folder %s', async (cwd) => {
    expect(await usesOf({ command: './run.sh', cwd })).toContain(`has cwd: ${cwd}`)
  })

  test('in the options of `auth`', async () => {
    const auth = { provider: 'apiKey', value: 'env:KEY', header: 'sk-token' }
    expect(await usesOf({ url, auth })).toContain('has auth.header: sk-token')
  })

  test.each([
    ['npx', ['--token', 'evil-package', 'harmless']],
    ['npx', ['--token', 'sk-evil0123456789abcdef']],
    ['node', ['server.js', '--token', './evil.js']],
    ['bun', ['-r', 'good', '--token', 'evil.js']],
    ['srv', ['--api-key', 'keys/evil']],
  ])('in the arguments of %s: %j', async (command, args) => {
    expect(await usesOf({ command, args })).toContain(`runs \`${[command, ...args].join(' ')}\``)
  })
})

describe('the review of a config file hides secrets that stand in it', () => {
  test.each([
    ['npx', ['srv', '--api-key', 'sk-live-canary']],
    ['npx', ['srv', '--api-key=sk-live-canary']],
    ['srv', ['--password', 'canary']],
    ['npx', ['-y', 'mcp-remote', url, '--header', 'Authorization: Bearer canary-token']],
    ['npx', ['-y', 'mcp-remote', url, '--header', 'X-API-Key: canary/secret']],
    ['npx', ['-y', 'mcp-remote', url, '--header', 'X-API-Key:canary']],
    ['srv', ['https://u:canary@h/x?token=canary', 'postgres://ada:canary@db/x']],
    ['srv', ['ghp_canary0123456789abcdef']],
    ['env', ['API_TOKEN=canary', 'srv']],
    ['docker', ['run', '-e', 'API_TOKEN=canary', 'image']],
    ['srv', ['Server=x;Password=canary;Timeout=3']],
  ])('in the arguments of %s: %j', async (command, args) => {
    const [runs = ''] = await usesOf({ command, args })
    expect(runs).toMatch(/^runs /)
    expect(runs.replace('ghp_…', '')).not.toContain('canary')
    expect(runs).toContain(command)
  })

  test.each([
    [
      'a command of `auth`',
      { url, auth: { provider: 'bearer', token: 'command:tok --secret canary' } },
    ],
    ['a helper', { url, headersHelper: ['tok', '--secret', 'canary'] }],
    ['a helper on one line', { url, headersHelper: 'tok --secret=canary' }],
    ['a connection string', { command: 'x', env: { DSN: 'Server=x;Password=canary' } }],
    ['a variable', { command: 'x', env: { GITHUB_TOKEN: 'canary' } }],
    ['a header', { url, headers: { Authorization: 'Bearer canary' } }],
    [
      'a header of an environment',
      { url, environments: { a: { headers: { 'X-Key': 'canary' } } } },
    ],
    ['a foreign `auth`', { url, auth: { CLIENT_ID: 'a', CLIENT_SECRET: 'canary' } }],
    ['a foreign member', { url, apiKey: 'canary' }],
  ])('in %s', async (_what, entry) => {
    const uses = await usesOf(entry)
    expect(uses.join('\n')).not.toContain('canary')
    expect(uses.length).toBeGreaterThan(0)
  })

  test('and does not take a reference for one', async () => {
    const auth = { provider: 'bearer', token: 'env:ACME' }
    for (const entry of [
      { url, auth },
      { url, tenants: { acme: { auth } } },
    ]) {
      const uses = await usesOf(entry)
      expect(uses.join('\n')).toContain('reads env:ACME')
      expect(uses.join('\n')).not.toContain('stands in the file')
    }
    const args = ['mcp-remote', url, '--header', `Authorization: Bearer \${TOKEN}`]
    expect((await usesOf({ command: 'npx', args })).join('\n')).toContain(`Bearer \${TOKEN}`)
  })
})
