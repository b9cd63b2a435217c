import { build } from 'esbuild'
import { describe, expect, it } from 'vitest'

const entry = new URL('../../src/index.ts', import.meta.url).pathname

describe('the core', () => {
  it('bundles for browsers without a dependency or a Node built-in', async () => {
    const { metafile, warnings } = await build({
      entryPoints: [entry],
      bundle: true,
      format: 'esm',
      platform: 'browser',
      metafile: true,
      write: false,
    })

    const inputs = Object.keys(metafile.inputs)
    const imports = Object.values(metafile.inputs).flatMap((input) => input.imports)
    expect(warnings).toEqual([])
    expect(inputs.filter((path) => !path.startsWith('src/'))).toEqual([])
    expect(inputs.filter((path) => /^src\/(mcp|oauth|node|cli|aws)\//.test(path))).toEqual([])
    expect(imports.filter(({ external }) => external === true)).toEqual([])
  })
})
