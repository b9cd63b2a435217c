/**
 * The world of `taint.test.ts` with the newest parts of the library in it: `auto()` and config files, trusted and not,
 * keys that are stored, `defaultStore()` on files, bridges in front of the two MCP servers, logins of web
 * applications, and the commands that print credentials.
 *
 *     TAINT_SEED=101 TAINT_PATH=237:2:2 npx vitest run --config test/vitest.config.ts --project taint test/taint/front-door.test.ts
 *
 * `TAINT_FRONT_RUNS` is the number of stories (default 150); the other variables are those of `taint.test.ts`.
 *
 * | invariant, beside those of `taint.test.ts` | checked by |
 * |---|---|
 * | a secret of a config entry reaches the server of that entry, and nobody at another path of it | owners in `surroundings.ts` |
 * | no secret of another environment or tenant, and none that no config names, reaches anybody | owners in `surroundings.ts` |
 * | a file that nobody has trusted sends nothing and runs nothing | owners in `surroundings.ts`, `hasRun` |
 * | a stored key reaches the server that it was stored for | owners in `front-operations.ts` |
 * | what the client of a bridge sends for itself goes nowhere; what the server is sent, the client never sees | `local-client.ts` |
 * | a bridge answers nobody who was not given its URL | `intrude` in `local-client.ts` |
 * | the key of the default store is in no other file, and no secret is in its records, their names, the choice | `readFiles` |
 * | a sealed state of a web login shows nothing; only the session that began a login ends it | `web-login.ts`, `finish` |
 * | a command prints a secret for the server it was asked about, and tells nobody else | `command.ts` |
 */
import fc from 'fast-check'
import 'jose'
import '../../src/aws/index.ts'
import '../../src/cli/headers.ts'
import '../../src/cli/list.ts'
import '../../src/cli/status.ts'
import '../../src/cli/token.ts'
import '../../src/config/index.ts'
import '../../src/mcp/index.ts'
import '../../src/node/index.ts'
import { test } from 'vitest'
import { frontStories } from './front-stories.ts'
import { play } from './play.ts'
import { violateOnRejections } from './rejections.ts'

const runs = Number(process.env['TAINT_FRONT_RUNS'] ?? 150)
const { TAINT_SEED: seed = '20261122' } = process.env
const path = process.env['TAINT_PATH']

violateOnRejections()

test('whatever a client is configured by and reached through, a secret reaches nobody but its owners', async () => {
  const chosen = seed === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(seed)
  process.stdout.write(`taint: ${runs} stories of the front door, of seed ${chosen}\n`)
  await fc.assert(fc.asyncProperty(frontStories, play), {
    numRuns: runs,
    seed: chosen,
    ...(path === undefined ? {} : { path }),
  })
}, 600_000)
