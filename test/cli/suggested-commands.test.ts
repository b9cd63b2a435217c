import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { auto, saveKey } from '../../src/auto/index.ts'
import { failureOf } from '../../src/bridge/failure.ts'
import { ContentError } from '../../src/bridge/wire.ts'
import { splitCommand } from '../../src/config/command-line.ts'
import { authorizedFetch, bearer, isCredentialError } from '../../src/index.ts'
import { savedLogin } from '../../src/oauth/index.ts'
import { memoryStore } from '../../src/testing/index.ts'
import { recordingOrigin } from '../support/recording-origin.ts'
import { cliWorld } from './cli-world.ts'

let world: Awaited<ReturnType<typeof cliWorld>>
beforeEach(async () => {
  world = await cliWorld()
})
afterEach(() => world.close())

const path = "/m&./e.sh/;touch$IFS$9PWN/a'b"

async function refusing(): Promise<string> {
  const { origin } = await recordingOrigin((_request, response) => {
    response.writeHead(401).end()
  })
  return origin + path
}

/** The commands that a text advises, and what a shell would make of them besides. */
function harmIn(text: string): readonly unknown[] {
  const commands = text.match(/npx mcp-credentials [a-z]+ [^`\n]*/g) ?? []
  expect(commands.length, text).toBeGreaterThan(0)
  return commands.map((each) => splitCommand(each)).filter((words) => 'problem' in words)
}

describe('a command that is advised', () => {
  it('quotes for a shell whatever is put into it', async () => {
    const root = new URL('../../src/', import.meta.url)
    const files = (await readdir(root, { recursive: true })).filter((file) => file.endsWith('.ts'))
    const open: string[] = []
    for (const file of files) {
      const text = await readFile(new URL(file, root), 'utf8')
      const placed = text.matchAll(
        /npx mcp-credentials [a-z]+(?: --[a-z]+)* \$\{(\w+)|`--[a-z-]+ \$\{(\w+)/g,
      )
      for (const [, first, second] of placed) {
        const name = first ?? second ?? ''
        if (!/^(?:commandWord|commandArgument|quoted)$/.test(name)) open.push(`${file}: ${name}`)
      }
    }
    // The first is such a word already, as its docstring says; names of secrets are letters and digits, and flags of stored
    // keys are what their user typed.
    expect(open.sort()).toEqual([
      'providers/stored-key.ts: key',
      'providers/stored-key.ts: key',
      'providers/stored-key.ts: name',
      'stores/named-secrets.ts: name',
      'transport/final-refusal.ts: url',
    ])
  })

  it.each([['set', '--bearer'], ['status'], ['headers'], ['token'], ['doctor']])(
    'runs nothing that the path of a URL says: %s',
    async (name, ...flags) => {
      const url = await refusing()
      const { stdout, stderr } = await world.run([name, url, ...flags], { input: 'canary-token' })
      expect(harmIn(`${stdout}${stderr}`)).toEqual([])
    },
  )

  it('runs nothing that a path says which URLs of OAuth may have', async () => {
    const { origin } = await recordingOrigin((_request, response) => {
      response.writeHead(404).end()
    })
    const { stderr } = await world.run(['login', `${origin}/m&./e.sh`])
    expect(harmIn(stderr)).toEqual([])
  })

  it('runs nothing that the name of a server says', async () => {
    const name = 'a;touch$IFS$9PWN'
    const content = { mcpServers: { [name]: { command: 'node' } } }
    const file = join(world.folder, '.mcp.json')
    await writeFile(file, JSON.stringify(content))
    await world.run(['trust', file, '--yes'])
    expect(harmIn((await world.run(['status', name])).stderr)).toEqual([])
    expect(harmIn((await world.run(['proxy', name])).stderr)).toEqual([])
  })

  it('runs nothing that a URL says where the library advises it', async () => {
    const url = await refusing()
    const file = join(world.folder, 'empty.json')
    await writeFile(file, '{ "mcpServers": {} }')
    const store = memoryStore()
    const messageOf = async (sending: Promise<unknown>) => {
      const error = await sending.then(
        () => undefined,
        (thrown: unknown) => thrown,
      )
      if (!isCredentialError(error)) throw error
      return `${error.message} ${error.remedy}`
    }
    const options = { resource: url, store }
    const nobody = authorizedFetch(auto({ store, config: file }), options)
    const saved = authorizedFetch(savedLogin(), options)
    const missing = [await messageOf(nobody(url)), await messageOf(saved(url))]
    await saveKey(store, { resource: url, key: { type: 'bearer', token: 'canary-token' } })
    const refused = await messageOf(authorizedFetch(savedLogin(), options)(url))
    const strict = authorizedFetch(bearer('t'), { resource: url, throwOnRefusal: true })
    const failure = failureOf(new ContentError('text/html'), new URL(url))
    const texts = [...missing, refused, await messageOf(strict(url)), JSON.stringify(failure)]
    expect(texts.flatMap(harmIn)).toEqual([])
    await nobody.close()
  })
})
