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
