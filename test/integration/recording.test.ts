import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { drawSession } from '../../docs/recording/picture.ts'
import { recordSession } from '../../docs/recording/session.ts'

test('the picture in the README shows what the built command prints; else run `npm run record`', async () => {
  const url = new URL('../../docs/terminal-session.svg', import.meta.url)
  expect(drawSession(await recordSession())).toBe(await readFile(url, 'utf8'))
})
