/**
 * Records `docs/terminal-session.svg` from real runs of the built command: `npm run record`.
 *
 * @module
 */
import { writeFile } from 'node:fs/promises'
import { drawSession } from './picture.ts'
import { recordSession } from './session.ts'

const picture = drawSession(await recordSession())
await writeFile(new URL('../terminal-session.svg', import.meta.url), picture)
console.log(`docs/terminal-session.svg: ${Math.ceil(picture.length / 1024)} kB`)
