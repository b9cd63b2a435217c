import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

const entry = new URL('../../src/index.ts', import.meta.url).pathname

describe('the core', () => {
  it('bundles for browsers without a Node built-in, and loads no dependency by itself', async () => {
    const { metafile, warnings } = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      external: ['jose'],
      metafile: true,
      write: false,
    })

    const inputs = Object.keys(metafile.inputs)
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
    expect(warnings).toEqual([])
    expect(inputs.filter((path) => !path.startsWith('src/'))).toEqual([])
    expect(inputs.filter((path) => /^src\/(mcp|oauth|node|cli|aws)\//.test(path))).toEqual([])
    // jwt() loads jose when it mints its first token; nothing else is loaded, and not before.
    const outside = imports.filter(({ external }) => external === true)
    expect(new Set(outside.map(({ path, kind }) => `${kind} ${path}`))).toEqual(
      new Set(['dynamic-import jose']),
    )
  })
})

describe('the OAuth providers', () => {
  it('bundle for browsers without a Node built-in, in one file too', async () => {
    const { outputFiles, warnings } = await build({
      stdin: {
        contents: `
          import { authorizationCode } from 'mcp-credentials/oauth'
          export const login = authorizationCode({ clientId: 'page' })`,
        resolveDir: new URL('.', import.meta.url).pathname,
      },
      bundle: true,
      format: 'esm',
      platform: 'browser',
      external: ['node:*'],
      write: false,
    })

    expect(warnings).toEqual([])
    expect(outputFiles[0]?.text.match(/^import .*|import\("node:.*/gm)).toBeNull()
    expect(outputFiles[0]?.text).toContain('a web page cannot listen')
  })
})

describe('the command headers', () => {
  it('loads no OAuth library, parser of files or native part before a credential needs them', async () => {
    const entries = ['src/auto/index.ts', 'src/cli/program.ts', 'src/cli/request-headers.ts']
    const { metafile } = await build({
      entryPoints: entries,
      bundle: true,
      format: 'esm',
      platform: 'node',
      packages: 'external',
      outdir: 'unused',
      metafile: true,
      write: false,
    })

    const loaded = new Set<string>(entries)
    const packages = new Set<string>()
    for (const path of loaded) {
      for (const each of metafile.inputs[path]?.imports ?? []) {
        if (each.kind !== 'import-statement') continue
        if (each.external !== true) loaded.add(each.path)
        else if (!each.path.startsWith('node:')) packages.add(each.path)
      }
    }
    expect([...packages].sort()).toEqual(['commander', 'ipaddr.js'])
    // The rest of the folder is what talks to an authorization server.
    expect(loaded).toContain('src/oauth/saved-login.ts')
    expect(loaded).not.toContain('src/oauth/grant-requests.ts')
    expect(loaded).not.toContain('src/config/document.ts')
    expect(loaded).not.toContain('src/stores/keychain.ts')
  })
})
