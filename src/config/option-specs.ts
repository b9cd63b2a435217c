/**
 * What the options of a provider may be in a config file.
 *
 * @module
 */

/** What an option may be. */
export type OptionSpec = { readonly about: string; readonly required?: true } & (
  | { readonly kind: 'text' | 'secret' | 'public' | 'flag' | 'number' | 'texts' | 'false' }
  | { readonly kind: 'textMap' | 'secretMap' | 'json' | 'command' | 'providers' }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | { readonly kind: 'members'; readonly members: OptionSpecs }
  | { readonly kind: 'either'; readonly specs: readonly OptionSpec[] }
)

/** The options of a provider, or the members of one option. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>

type Flags = { readonly required?: true }

/** A text that is no secret; `${NAME}` in it is an environment variable. */
export const text = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'text',
  about,
  ...flags,
})
/** A reference to a secret, and nothing else. */
export const secret = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'secret',
  about,
  ...flags,
})
/** A text that may also be read like a secret, such as a user name. */
export const publicText = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'public',
  about,
  ...flags,
})
/** `true` or `false`. */
export const flag = (about: string): OptionSpec => ({ kind: 'flag', about })
/** A number. */
export const number = (about: string): OptionSpec => ({ kind: 'number', about })
/** A list of texts. */
export const texts = (about: string): OptionSpec => ({ kind: 'texts', about })
/** An object of texts that are no secrets. */
export const textMap = (about: string): OptionSpec => ({ kind: 'textMap', about })
/** An object of texts and references; what looks like a secret must be a reference. */
export const secretMap = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'secretMap',
  about,
  ...flags,
})
/** An object of any JSON. */
export const json = (about: string): OptionSpec => ({ kind: 'json', about })
/** A program with its arguments: a list, or a line that is split without a shell. */
export const commandLine = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'command',
  about,
  ...flags,
})
/** Further providers. */
export const providers = (about: string): OptionSpec => ({
  kind: 'providers',
  about,
  required: true,
})
/** One of several texts. */
export const choice = (about: string, ...values: readonly string[]): OptionSpec => ({
  kind: 'choice',
  about,
  values,
})
/** An object with members of its own. */
export const members = (about: string, specs: OptionSpecs, flags: Flags = {}): OptionSpec => ({
  kind: 'members',
  about,
  members: specs,
  ...flags,
})
/** One of several kinds. */
export const either = (about: string, ...specs: readonly OptionSpec[]): OptionSpec => ({
  kind: 'either',
  about,
  specs,
})
/** The word `false`, where an option can be switched off. */
export const off = (about: string): OptionSpec => ({ kind: 'false', about })
