/**
 * What typedoc has no setting for: pages without front matter get a title and a group, the pages of
 * examples show the code that they speak of, and other linked source files open as text.
 *
 * @module
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import {
  Application,
  Converter,
  DocumentReflection,
  JSX,
  KindRouter,
  ReflectionKind,
  Renderer,
} from 'typedoc'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What a reader runs first; the rest of a folder follows in the order of its names. */
const entryFiles = ['client.ts', 'app.ts']

/** @param {string} path */
const textOf = (path) => readFileSync(path, 'utf8')

/** @param {string} path */
const titleOf = (path) => /^# (.+)$/m.exec(textOf(path))?.[1]?.replaceAll('`', '')

/** The code of an example, each file with its name as the heading. */
function codeOf(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.ts'))
  const rest = files.filter((name) => !entryFiles.includes(name)).sort()
  return [...entryFiles.filter((name) => files.includes(name)), ...rest].map((name) => ({
    name,
    path: join(folder, name),
    text: `\n\n## ${name}\n\n\`\`\`ts\n${textOf(join(folder, name)).trim()}\n\`\`\`\n`,
  }))
}

/** The code of a folder without a page of its own, as one. */
function addFolder(project, folder, title) {
  const content = codeOf(folder).map(({ text }) => ({ kind: 'text', text }))
  const heading = { kind: 'text', text: `# ${title}` }
  const page = new DocumentReflection(title, project, [heading, ...content], { group: 'Examples' })
  project.addChild(page)
  project.registerReflection(page, undefined, undefined)
  project.files.registerReflectionPath(folder, page)
}

/** @param {import('typedoc').DocumentReflection} page */
function completePage(page) {
  const { files } = page.project
  const path = files.getReflectionPath(page)
  if (path === undefined || page.frontmatter.group !== undefined) return
  const folder = dirname(path)
  const isExample = relative(root, path).startsWith('examples')
  // `npm run example -- NAME` starts an example by the name of its folder.
  page.name = isExample ? basename(folder) : (titleOf(path) ?? page.name)
  page.frontmatter.group = isExample ? 'Examples' : 'Project'
  if (!isExample) return
  // Links to the folder of an example, and to its code, lead to its page.
  files.registerReflectionPath(folder, page)
  const servers = join(folder, 'servers')
  if (existsSync(servers)) addFolder(page.project, servers, 'servers')
  if (!existsSync(join(folder, 'client.ts')) && !existsSync(join(folder, 'app.ts'))) return
  for (const { name, path: file, text } of codeOf(folder)) {
    files.registerReflectionPath(file, page)
    const links = page.content.filter((part) => part.kind === 'relative-link' && part.text === name)
    for (const link of links) link.targetAnchor = name.replaceAll('.', '')
    page.content.push({ kind: 'text', text })
  }
}

/** The name of a source file on the site: a web server sends `.ts` as a video, and a browser runs `.html`. */
const asText = (name) => (/\.(ts|html|env)$/.test(name ?? '') ? `${name}.txt` : name)

/** Gives pages the addresses that their files have in the repository, without `docs/`. */
class PageRouter extends KindRouter {
  getIdealBaseName(reflection) {
    const path = reflection.isDocument() && reflection.project.files.getReflectionPath(reflection)
    if (!path) return super.getIdealBaseName(reflection)
    const place = relative(root, path).replace(/^(docs|test|\.github)\//, '')
    return place.replace(/(\/README)?\.md$/, '').toLowerCase()
  }
}

/** Who searches for a word wants the guide to it, or the function of that name, before members that mention it. */
function weighForSearch(project) {
  const kinds = [
    [ReflectionKind.Module | ReflectionKind.Function | ReflectionKind.Class, 2],
    [ReflectionKind.Property | ReflectionKind.Method | ReflectionKind.Accessor, 0.3],
  ]
  const pages = { 'When it fails': 10, Examples: 1, Project: 0.2 }
  for (const one of Object.values(project.reflections)) {
    one.relevanceBoost = one.isDocument()
      ? (pages[one.frontmatter.group] ?? 6)
      : (kinds.find(([kind]) => one.kindOf(kind))?.[1] ?? 1)
  }
}

/** Code in a heading belongs to its address and to the table of contents, as elsewhere. */
function keepCodeOfHeadings(parser) {
  parser.core.ruler.push('code_of_headings', ({ tokens, Token }) => {
    tokens.forEach((token, index) => {
      if (token.type !== 'heading_open') return
      for (const code of tokens[index + 1]?.children ?? []) {
        if (code.type !== 'code_inline') continue
        const text = new Token('text', '', 0)
        text.content = code.content
        code.children = [text]
      }
    })
  })
}

/** Opens what most readers look for, until they close it: the script of typedoc begins with all closed. */
function openGroups(groups) {
  const keys = JSON.stringify(groups.map((group) => `tsd-accordion-${group}`))
  const html = `try{for(const k of ${keys})localStorage.getItem(k)??localStorage.setItem(k,'true')}catch{}`
  return JSX.createElement('script', null, JSX.createElement(JSX.Raw, { html }))
}

function startLinks(context) {
  const link = (page, text) =>
    JSX.createElement(
      'a',
      { href: context.relativeURL(page), class: context.page.url === page ? 'current' : '' },
      text,
    )
  return JSX.createElement(
    'nav',
    { class: 'tsd-navigation start' },
    link('index.html', 'Overview'),
    link('modules.html', 'Contents'),
  )
}

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.renderer.defineRouter('pages', PageRouter)
  app.on(Application.EVENT_BOOTSTRAP_END, () => {
    app.options.setValue('markdownItLoader', keepCodeOfHeadings)
  })
  app.renderer.hooks.on('sidebar.begin', startLinks)
  app.renderer.hooks.on('head.end', () => {
    const groups = app.options.getValue('groupOrder')
    return openGroups(
      groups.slice(0, groups.indexOf('Project')).filter((one) => one !== 'Examples'),
    )
  })
  app.converter.on(Converter.EVENT_CREATE_DOCUMENT, (_context, page) => completePage(page))
  app.renderer.on(Renderer.EVENT_BEGIN, ({ project }) => {
    weighForSearch(project)
    const { files } = project
    const nameOf = files.getName.bind(files)
    files.getName = (id) => asText(nameOf(id))
    const namesOf = files.getNameToAbsoluteMap.bind(files)
    files.getNameToAbsoluteMap = () =>
      new Map([...namesOf()].map(([name, path]) => [asText(name), path]))
  })
}
