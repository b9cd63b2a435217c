// The direction of imports, as an allow-list: a new folder may import nothing until it is named here.
const vocabulary =
  '^src/(audit-events|credential|credential-record|empty-credential|encoding|errors|events|labels|options|provider-source|rate-window|retry-after|run-command|scope|secret|server-date|signing-key|transport-headers|waiting|www-authenticate)\\.ts$'
const allowed = {
  providers: [],
  manager: [],
  transport: ['manager'],
  mcp: ['providers', 'manager', 'transport', 'oauth'],
  aws: ['providers'],
  node: ['providers', 'oauth', 'bridge'],
  oauth: ['providers/stored-key.ts'],
  stores: [],
  testing: ['stores'],
  web: ['manager', 'oauth'],
  config: [
    'providers',
    'manager',
    'transport',
    'oauth',
    'stores',
    'mcp',
    'aws',
    'node',
    'auto/workload.ts',
  ],
  auto: ['providers', 'manager', 'oauth', 'stores', 'config'],
  bridge: ['manager', 'transport'],
}
const publicEntries =
  '^src/(index|[a-z]+/index|stores/(file|keychain|migrate|postgres|redis))\\.ts$'
const folders = Object.keys(allowed)

module.exports = {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'vocabulary-imports-only-itself',
      severity: 'error',
      from: { path: vocabulary },
      to: { pathNot: vocabulary },
    },
    ...folders.map((folder) => ({
      name: `${folder}-imports`,
      severity: 'error',
      from: { path: `^src/${folder}/` },
      to: {
        path: '^src/',
        pathNot: [
          vocabulary,
          `^src/${folder}/`,
          ...allowed[folder].map((name) => `^src/${name}${name.endsWith('.ts') ? '$' : '/'}`),
        ],
      },
    })),
    {
      name: 'unlisted-folder',
      severity: 'error',
      from: {
        path: '^src/[^/]+/',
        pathNot: ['^src/cli/', ...folders.map((folder) => `^src/${folder}/`)],
      },
      to: {},
    },
    {
      name: 'cli-uses-what-users-can-import',
      severity: 'error',
      from: { path: '^src/cli/' },
      to: { path: '^src/', pathNot: ['^src/cli/', publicEntries] },
    },
    {
      name: 'bound-values-are-opened-in-few-places',
      comment:
        'Only what sends, stores or applies a token takes it out; the others import bound.ts.',
      severity: 'error',
      from: {
        path: '^src/',
        pathNot:
          '^src/oauth/(bound|connection|issuer-connection|pending-login|registration|registration-request|token)\\.ts$',
      },
      to: { path: '^src/oauth/bound-values\\.ts$' },
    },
    {
      name: 'core-loads-nothing',
      comment:
        'The core runs on every platform: no dependency but jose on demand, nothing on top of it.',
      severity: 'error',
      from: { path: '^src/index\\.ts$' },
      to: {
        path: ['node_modules', '^src/(mcp|aws|node|oauth|testing|stores|web)'],
        pathNot: 'node_modules/jose/',
        reachable: true,
      },
    },
    {
      name: 'core-no-builtin',
      severity: 'error',
      from: { path: ['^src/[^/]+\\.ts$', '^src/(providers|manager|transport)/'] },
      to: {
        dependencyTypes: ['core', 'npm', 'npm-dev', 'npm-peer', 'npm-optional'],
        pathNot: 'node_modules/jose/',
      },
    },
    {
      name: 'jose-on-demand',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: 'node_modules/jose/', dynamic: false, dependencyTypesNot: ['type-only'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'types', 'default'],
    },
  },
}
