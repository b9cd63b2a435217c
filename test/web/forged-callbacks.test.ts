import { describe, expect, it } from 'vitest'
import type { Answer, Script } from '../support/oauth-world.ts'
import { alice, application, bob, errorOf, of } from '../support/web-application.ts'

/** A firewall before an honest server, which answers codes that look like an attack. */
const firewall = (answer: Answer): Script => ({
  token: (params) => (params.get('code')?.includes('<script>') === true ? answer : undefined),
})

describe('the registration that all users of an application share', () => {
  it.each<readonly [string, Answer]>([
    ['a page with status 403', { status: 403, type: 'text/html', body: '<html>Forbidden</html>' }],
    ['an empty 401', { status: 401, type: null, body: '' }],
    ['a 401 with a challenge', { status: 401, headers: { 'www-authenticate': 'Basic' }, body: '' }],
    ['a home-made code', { status: 401, body: { error: 'client_blocked' } }],
  ])('stays when a callback that a user has written is answered with %s', async (_what, answer) => {
    const { world, logins } = await application(firewall(answer))
    for (let count = 0; count < 4; count += 1) {
      const { id, state } = await logins.beginLogin({ resource: world.url, ...bob })
      const code = encodeURIComponent('<script>')
      await errorOf(logins.finishLogin(`/callback?code=${code}&state=${id}`, state, of(bob)))
    }

    await logins.beginLogin({ resource: world.url, ...alice })

    expect(world.paths().filter((path) => path === '/register')).toHaveLength(1)
  })

  it('is given up when the server itself says that it does not know the client', async () => {
    const { world, logins } = await application({
      token: () => ({ status: 401, body: { error: 'invalid_client' } }),
    })
    const { id, state } = await logins.beginLogin({ resource: world.url, ...bob })
    await errorOf(logins.finishLogin(`/callback?code=c&state=${id}`, state, of(bob)))

    await logins.beginLogin({ resource: world.url, ...alice })

    expect(world.paths().filter((path) => path === '/register')).toHaveLength(2)
  })

  it('stays when a firewall refuses the pushed request of one user', async () => {
    const { world, logins } = await application({
      metadata: ({ issuer }) => ({
        require_pushed_authorization_requests: true,
        pushed_authorization_request_endpoint: `${issuer}/par/token`,
      }),
      token: () => ({ status: 403, type: 'text/html', body: '<html>Forbidden</html>' }),
    })
    for (let count = 0; count < 3; count += 1) {
      await errorOf(logins.beginLogin({ resource: world.url, ...bob }))
    }
    expect(world.paths().filter((path) => path === '/register')).toHaveLength(1)
  })
})
