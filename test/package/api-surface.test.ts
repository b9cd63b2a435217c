import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { readSurfaces, type Surface } from './api-surface.ts'

/** Reads a package of two entries, whose files have these texts. */
async function surfacesOf(files: Readonly<Record<string, string>>): Promise<Surface[]> {
  const folder = await mkdtemp(join(tmpdir(), 'surface-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return readSurfaces([
    { name: 'example', file: join(folder, 'index.d.ts') },
    { name: 'example/more', file: join(folder, 'more.d.ts') },
  ])
}

const files = {
  'index.d.ts': "export { make } from './make.js'\nexport type { Thing } from './thing.js'\n",
  'make.d.ts':
    "import type { Options } from './thing.js'\nimport type { Thing } from './thing.js'\n/** Makes it. */\nexport declare function make(options: Options): Thing;\n",
  'thing.d.ts':
    'export interface Thing {\n  readonly size: number;\n}\nexport interface Options {\n  readonly size?: number;\n}\n',
  'more.d.ts':
    "import type { Thing } from './thing.js'\nexport declare class Box {\n  #private;\n  readonly thing: Thing;\n}\n",
}

describe('the report of an entry', () => {
  it('shows what is exported, and what that names without being exported itself', async () => {
    const [main] = await surfacesOf(files)
    expect(main?.values).toEqual(['make'])
    expect(main?.types).toEqual(['Thing'])
    expect(main?.report).toMatchInlineSnapshot(`
      "# example

      Values: 1, types: 1

      \`\`\`ts
      export interface Thing {
          readonly size: number;
      }
      export declare function make(options: Options): Thing;
      \`\`\`

      Reached, but not exported:

      \`\`\`ts
      export interface Options {
          readonly size?: number;
      }
      \`\`\`
      "
    `)
  })

  it('shows no private members, and names what another entry exports', async () => {
    const [, more] = await surfacesOf(files)
    expect(more?.report).toMatchInlineSnapshot(`
      "# example/more

      Values: 1, types: 0

      \`\`\`ts
      export declare class Box {
          readonly thing: Thing;
      }
      \`\`\`

      Of other entries:

      - \`Thing\` (example)
      "
    `)
  })

  it('stays the same when a comment, the order of exports or a file changes', async () => {
    const moved = {
      ...files,
      'index.d.ts': "export type { Thing } from './thing.js'\nexport * from './other.js'\n",
      'other.d.ts': files['make.d.ts'].replace('Makes it', 'Makes one'),
    }
    const [before, after] = [await surfacesOf(files), await surfacesOf(moved)]
    expect(after[0]?.report).toBe(before[0]?.report)
  })

  it('changes with a member of a type that is only reached', async () => {
    const widened = {
      ...files,
      'thing.d.ts': files['thing.d.ts'].replace('size?: number', 'size?: string'),
    }
    const [before, after] = [await surfacesOf(files), await surfacesOf(widened)]
    expect(after[0]?.report).not.toBe(before[0]?.report)
  })
})
