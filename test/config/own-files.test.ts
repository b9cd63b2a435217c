/** Files that count as the user's own: what decides which they are, and who else could change them. */
import { chmod, lchown, mkdir, symlink, writeFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/config/index.ts'
import { configDirectory, dataDirectory, homeFolder } from '../../src/stores/user-folders.ts'
import { project } from './project.ts'

const helper = { mcpServers: { crm: { url: 'https://crm.example.com/mcp', headersHelper: 'run' } } }

afterEach(() => vi.unstubAllEnvs())

describe.skipIf(process.platform === 'win32')('the folders of the user', () => {
  test.each(['', '.', 'home'])('are not relative where HOME is %j', (home) => {
    vi.stubEnv('HOME', home)
    for (const name of ['XDG_CONFIG_HOME', 'XDG_DATA_HOME']) vi.stubEnv(name, '')

    expect(homeFolder()).toBe(userInfo().homedir)
    expect(dataDirectory().startsWith(`${userInfo().homedir}/`)).toBe(true)
    expect(configDirectory().startsWith(`${userInfo().homedir}/`)).toBe(true)
  })

  test('are those below the home folder where the variables of XDG are relative', () => {
    vi.stubEnv('HOME', '/home/ada')
    vi.stubEnv('XDG_CONFIG_HOME', '.config')
    vi.stubEnv('XDG_DATA_HOME', 'data')

    expect([dataDirectory(), configDirectory()]).not.toContain('data/mcp-credentials')
    expect(dataDirectory().startsWith('/home/ada/')).toBe(true)
    expect(configDirectory().startsWith('/home/ada/')).toBe(true)
  })

  test.each(['.claude.json', '.cursor/mcp.json', '.config/mcp-credentials/mcp.json'])(
    'do not make %s of a repository the user’s own where HOME is empty',
    async (name) => {
      const { root } = await project({ [name]: helper })
      vi.stubEnv('HOME', '')
      vi.stubEnv('XDG_CONFIG_HOME', '.config')
      vi.spyOn(process, 'cwd').mockReturnValue(root)

      const config = await loadConfig({ cwd: root })

      const found = config.files.filter(({ path }) => path.startsWith(root))
      expect(found.filter(({ isTrusted }) => isTrusted)).toEqual([])
    },
  )

  test('must be absolute where an application names them', async () => {
    const { load } = await project()

    await expect(load({ home: 'home' })).rejects.toThrow('`home` must be an absolute path')
    await expect(load({ env: { XDG_CONFIG_HOME: '.config' } })).resolves.toBeDefined()
  })
})

describe.skipIf(process.platform === 'win32')('a file in a place of the user’s own', () => {
  test('is trusted without a question', async () => {
    const { load } = await project({ '~/.cursor/mcp.json': helper })
    expect((await load()).server('crm').isTrusted).toBe(true)
  })

  test('is trusted where a link of the user leads to it', async () => {
    const { load, home } = await project({ '~/dotfiles/mcp.json': helper })
    await mkdir(join(home, '.cursor'))
    await symlink('../dotfiles/mcp.json', join(home, '.cursor/mcp.json'))
    expect((await load()).server('crm').isTrusted).toBe(true)
  })

  test('is not trusted where others can put a link into its folder', async () => {
    const { load, home } = await project({ '~/src/hostile/mcp.json': helper })
    await mkdir(join(home, '.cursor'))
    await symlink(join(home, 'src/hostile/mcp.json'), join(home, '.cursor/mcp.json'))
    await chmod(join(home, '.cursor'), 0o777)
    expect((await load()).server('crm').isTrusted).toBe(false)
  })

  test('is not trusted where others can replace its folder', async () => {
    const { load, home } = await project({ '~/.codeium/windsurf/mcp_config.json': helper })
    await chmod(join(home, '.codeium'), 0o777)
    expect((await load()).server('crm').isTrusted).toBe(false)
  })

  test('is not trusted where a link leads through a folder that others can write', async () => {
    const { load, home } = await project({ '~/real/mcp.json': helper })
    await mkdir(join(home, 'shared'))
    await symlink(join(home, 'real'), join(home, 'shared/there'))
    await mkdir(join(home, '.cursor'))
    await symlink(join(home, 'shared/there/mcp.json'), join(home, '.cursor/mcp.json'))
    await chmod(join(home, 'shared'), 0o777)
    expect((await load()).server('crm').isTrusted).toBe(false)
  })

  test.runIf(process.getuid?.() === 0)(
    'is not trusted where another user made the link',
    async () => {
      const { load, home } = await project({ '~/src/hostile/mcp.json': helper })
      await mkdir(join(home, '.cursor'))
      const link = join(home, '.cursor/mcp.json')
      await symlink(join(home, 'src/hostile/mcp.json'), link)
      await lchown(link, 65_534, 65_534)
      expect((await load()).server('crm').isTrusted).toBe(false)
    },
  )
})

describe('the folder for which a file configures servers', () => {
  const crm = { command: './server.sh', cwd: `\${workspaceFolder}` }

  test('is that of the file itself, where another project links to it', async () => {
    const { load, root, write } = await project({ 'crm/.mcp.json': { mcpServers: { crm } } })
    await write('evil/.git/HEAD', '')
    await symlink('../crm/.mcp.json', join(root, 'evil/.mcp.json'))

    const [server] = (await load({ cwd: join(root, 'evil'), trust: () => true })).servers

    expect([server?.cwd, server?.workspace]).toEqual([join(root, 'crm'), join(root, 'crm')])
  })

  test('is that of the file itself, where a link to it was chosen', async () => {
    const { load, root, write } = await project({ 'crm/.vscode/mcp.json': { servers: { crm } } })
    await write('evil/.git/HEAD', '')
    await symlink(join(root, 'crm/.vscode/mcp.json'), join(root, 'evil/link.json'))

    const config = await load({ path: join(root, 'evil/link.json'), trust: () => true })

    expect(config.server('crm').cwd).toBe(join(root, 'crm'))
    expect(config.files[0]?.realPath).toBe(join(root, 'crm/.vscode/mcp.json'))
  })

  test('is the home folder for the user’s own file, and the named one for a project in it', async () => {
    const { load, home, root } = await project()
    const projects = { [root]: { mcpServers: { here: { command: 'npx' } } } }
    const mcpServers = { own: { command: 'npx' } }
    await writeFile(join(home, '.claude.json'), JSON.stringify({ mcpServers, projects }))

    const config = await load()

    expect(config.server('own').workspace).toBe(home)
    expect(config.server('here').workspace).toBe(root)
  })
})
