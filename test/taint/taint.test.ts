/**
 * A world in which every secret is a canary that has owners: three authorization servers, of which one is
 * honest, and two MCP servers that change their minds. Random stories, on virtual time and a network inside
 * of the process, never show a canary to anybody else.
 *
 * To replay a failure, copy `seed` and `path` from its message:
 *
 *     TAINT_SEED=101 TAINT_PATH=237:2:2 npx vitest run --config test/vitest.config.ts --project taint test/taint/taint.test.ts
 *
 * `TAINT_SEED=random` plays other stories; `TAINT_RUNS` is their number (default 2000). `TAINT_IGNORE` is a
 * regular expression: violations that match it are not counted, to find out what else is wrong.
 *
 * | invariant | checked by |
 * |---|---|
 * | a secret reaches its owners only, in whatever encoding | `received` in `recorder.ts` |
 * | no secret is in an error, an event, a message of `diagnostics_channel`, a log, a warning | `thrown`, `published` |
 * | no secret is in a file of the encrypted store, nor in the name of a record | `readFiles`, `checkRecords` |
 * | a scope that one issuer granted is not asked for at another | `received`: scopes have owners too |
 * | a client assertion goes to its audience only, and once | `checkAssertion` in `network.ts` |
 * | a code goes to the server that made it, with the verifier of its login | `received`, `challengeOf` |
 * | a grant for one use is presented once, and a refresh token not after it was replaced | `presentGrants` |
 * | no grant is presented after it was given up, by its owner or by a peer of its owner | `presentGrants`, `logout` in `play.ts` |
 * | no token is used after the logout of its user | `checkToken` in `mcp-server.ts` |
 * | a client with an issuer uses no token of another | `checkToken` |
 * | a client that wants bound tokens sends no other | `checkToken` |
 * | a record holds tokens of its issuer only | `checkRecords` |
 * | an authorization request says what the client says | `checkRequest` in `user.ts` |
 * | a login that was pasted from elsewhere, or from another login, is not redeemed | its code belongs to nobody |
 * | users are asked a few times at most, whoever the MCP server names | `prompted` in `user.ts` |
 * | nothing is sent after `close()` | `inspect` in `network.ts` |
 *
 * The hostile server may trust others with what is its own: its metadata names their endpoints. What belongs
 * to the honest and the careless server never goes anywhere else. No application names the hostile server as
 * its issuer: whoever does trusts it with everything.
 */
import fc from 'fast-check'
import 'jose'
import { test } from 'vitest'
import { play } from './play.ts'
import { violateOnRejections } from './rejections.ts'
import { stories } from './stories.ts'

const runs = Number(process.env['TAINT_RUNS'] ?? 2000)
/** The same stories in every check, so that a failure is the change's; `random` looks for others. */
const { TAINT_SEED: seed = '20261122' } = process.env
const path = process.env['TAINT_PATH']

violateOnRejections()

test('whatever servers and users do, a secret reaches nobody but its owners', async () => {
  const chosen = seed === 'random' ? Math.floor(Math.random() * 2 ** 31) : Number(seed)
  process.stdout.write(`taint: ${runs} stories of seed ${chosen}\n`)
  await fc.assert(fc.asyncProperty(stories, play), {
    numRuns: runs,
    seed: chosen,
    ...(path === undefined ? {} : { path }),
  })
}, 600_000)
