/**
 * Hides secrets in command lines and values of a config file. The user decides by what is shown, so only
 * values that cannot be a program, a file or a URL are hidden; in doubt, the value is shown.
 *
 * @module
 */
import { isLiteralSecret, isSecretName } from './literal-secrets.ts'
import { literalOf, parseTemplate } from './template.ts'

const hidden = '<hidden>'
// Tokens of known issuers in full length; paths and file names do not match.
const issuedToken =
  /^(?:(?:(?:sk|pk|rk)[-_]|gh[opsur]_|github_pat_|glpat-|xox[a-z]-|AKIA|AIza|npm_)[\w-]{16,}|eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*)$/
// Programs whose first argument without a dash determines what runs, even after an unknown flag.
const runner =
  /(?:^|[\\/])(?:npx|npm|pnpm|pnpx|yarn|bunx?|node|deno|tsx|ts-node|python[\d.]*|uvx?|pipx?|ruby|perl|php|java|(?:ba|z|da|fi|k|c)?sh|cmd|powershell|pwsh|env|docker|podman|nix|cargo|go|dotnet|sudo|doas|nice|nohup|timeout|xargs|busybox)(?:\.(?:exe|cmd|bat))?$/i

/** The words of a command, with secret values of flags and assignments hidden. */
export function maskedCommand(argv: readonly string[]): readonly string[] {
  const [program = ''] = argv
  const isEnv = /(?:^|[\\/])env$/.test(program)
  const isTarget = (word: string, index: number) =>
    index > 0 && !word.startsWith('-') && !(isEnv && /^\w+=/.test(word))
  const shownUntil = runner.test(program) ? argv.findIndex(isTarget) : 0
  const isShown = (index: number) => shownUntil < 0 || index <= shownUntil
  return argv.map((word, index) => {
    if (index === 0 || index === shownUntil) return word
    const masked = maskedText(word)
    if (masked !== word || isShown(index)) return masked
    const flag = /^--?([\w-]+)$/.exec(argv[index - 1] ?? '')?.[1]
    return flag !== undefined && isSecretName(flag) && isOpaque(word) ? hidden : word
  })
}

/** A text with tokens and the secret values of headers, assignments and URLs hidden. */
export function maskedText(text: string): string {
  if (issuedToken.test(text)) return `${text.slice(0, 4)}…`
  const [, name = '', between = '', scheme = '', value = ''] =
    /^([A-Za-z][\w-]*)(:\s*)((?:Bearer|Basic|Token)\s+)?(.+)$/is.exec(text) ?? []
  if (isSecretName(name) && !value.startsWith('//') && isWritten(name, value)) {
    return `${name}${between}${scheme}${hidden}`
  }
  return text
    .replace(/(:\/\/[^\s/?#:@]*:)[^\s/?#]+@/g, `$1${hidden}@`)
    .replace(/(^|[\s;&?,]|--?)([\w.-]+)=([^;&\s]+)/g, (all, before, key, secret) => {
      const isHidden = isSecretName(key) && isOpaque(secret) && isWritten(key, secret)
      return isHidden ? `${before}${key}=${hidden}` : all
    })
}

function isWritten(name: string, value: string): boolean {
  return isLiteralSecret(name, literalOf(parseTemplate(value)))
}

/** Whether a value cannot be a path, a file, a flag or a command line. */
function isOpaque(value: string): boolean {
  return !/[\\/\s$]|^-|\.[a-z]{1,5}$/i.test(value)
}
