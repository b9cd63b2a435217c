/**
 * Checks whether an entry can be used in the chosen environment.
 *
 * @module
 */
import { isSecretName } from './literal-secrets.ts'
import { type Member, membersOf, textOf } from './nodes.ts'
import { shown } from './problems.ts'
import { parseTemplate, readsAnything } from './template.ts'

type Members = ReadonlyMap<string, Member>

/**
 * Returns why an entry cannot be used in an environment; `undefined`: it can.
 *
 * @param base - The members of the entry, without those of the environment.
 * @param target - The URL or the command of the entry in the environment.
 */
export function environmentProblem(
  wanted: string | undefined,
  environments: ReadonlyMap<string, Members>,
  base: Members,
  target: string | undefined,
): string | undefined {
  const names = [...environments.keys()].map(shown).join(', ')
  if (environments.size === 0) return undefined
  // The secret of another environment must not be used instead.
  if (wanted !== undefined && !environments.has(wanted)) {
    return `it has no environment \`${shown(wanted)}\`; its environments are ${names}`
  }
  if (target === undefined) return `its URL depends on the environment; choose one of ${names}`
  const missing = foreignCredential(base, environments.get(wanted ?? ''))
  return missing === undefined
    ? undefined
    : `its environment \`${shown(wanted ?? '')}\` has another origin, which must not receive the credential of the entry; add \`${missing}\` to that environment`
}

/** The member with a credential that an environment with another origin would inherit. */
function foreignCredential(base: Members, chosen: Members | undefined): string | undefined {
  const [from, to] = [originIn(base), originIn(chosen)]
  if (from === undefined || to === undefined || from === to) return undefined
  const overrides = (name: string) => chosen?.has(name) === true
  const hasAuth = ['tenants', 'headersHelper'].some((name) => base.has(name)) || hasOwnAuth(base)
  if (hasAuth && !overrides('auth') && !overrides('tenants')) return 'auth'
  return hasSecretHeader(base) && !overrides('headers') ? 'headers' : undefined
}

function hasOwnAuth(base: Members): boolean {
  const auth = base.get('auth')?.value
  return auth !== undefined && membersOf(auth, '', () => {})?.has('provider') === true
}

function hasSecretHeader(base: Members): boolean {
  const node = base.get('headers')?.value
  const headers = node === undefined ? [] : [...(membersOf(node, '', () => {}) ?? [])]
  return headers.some(
    ([name, { value }]) => isSecretName(name) || readsAnything(parseTemplate(textOf(value) ?? '')),
  )
}

/** The origin of a URL as written; a URL with variables equals only itself. */
function originIn(members: Members | undefined): string | undefined {
  const node = members?.get('url')?.value ?? members?.get('serverUrl')?.value
  const text = textOf(node)?.trim()
  if (text === undefined) return undefined
  if (!text.includes('${') && URL.canParse(text)) return new URL(text).origin
  return /^[^/]*\/\/[^/?#]*/.exec(text)?.[0] ?? text
}
