import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'

const root = new URL('../..', import.meta.url).pathname

/** The Markdown files below a folder of the repository, by their paths within it. */
export function markdownBelow(folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.md') && !path.includes('node_modules'))
    .map((path) => join(folder, path))
    .sort()
}

/** A page without its front matter and its code. */
export function proseOf(text: string): string {
  return text
    .replace(/^---\n[\s\S]*?\n---\n/, '')
    .replace(/^( *)(`{3,})[^\n]*\n[\s\S]*?^\1\2$/gm, '')
}

/** The headings of a page, without what marks them. */
function headingsOf(text: string): string[] {
  return [...proseOf(text).matchAll(/^#{1,6} (.+)$/gm)].map(([, title = '']) => title)
}

/** The anchors that a repository's web page gives the headings of a page. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>()
  for (const title of headingsOf(text)) {
    const slug = title
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .toLowerCase()
      .replace(/[^\p{L}\p{N}_ -]/gu, '')
      .trim()
      .replaceAll(' ', '-')
    let anchor = slug
    for (let count = 1; anchors.has(anchor); count += 1) anchor = `${slug}-${count}`
    anchors.add(anchor)
  }
  return anchors
}

/** The targets of links and pictures; what stands in code is none. */
export function targetsOf(text: string): string[] {
  const prose = proseOf(text).replace(/`[^`\n]*`/g, '')
  const links = [...prose.matchAll(/\]\(([^()\s]+)(?: "[^"]*")?\)/g)]
  const pictures = [...prose.matchAll(/<(?:img|source)\b[^>]*?\b(?:src|srcset)="([^"]+)"/g)]
  return [...links, ...pictures].map(([, target = '']) => target)
}

/** What is wrong with a link of a page; `undefined`: nothing, or it leads to another site. */
export function linkProblem(page: string, target: string): string | undefined {
  if (/^[a-z][a-z+.-]*:/i.test(target)) return undefined
  const [path = '', anchor] = target.split('#')
  const file = path === '' ? page : join(dirname(page), decodeURIComponent(path))
  const place = join(root, file)
  if (relative(root, place).startsWith('..') || !existsSync(place)) return `${file} does not exist`
  if (anchor === undefined) return undefined
  const text = statSync(place).isDirectory() ? join(place, 'README.md') : place
  if (anchorsOf(readFileSync(text, 'utf8')).has(anchor)) return undefined
  return `${file} has no heading #${anchor}`
}
