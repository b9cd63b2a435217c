/**
 * Specifications of the options of providers in config files.
 *
 * @module
 */

/** The specification of an option. */
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

/** A string that is not a secret; `${NAME}` in it is an environment variable. */
export const text = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'text',
  about,
  ...flags,
})
/** A reference to a secret; literal values are refused. */
export const secret = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'secret',
  about,
  ...flags,
})
/** A string or a reference, such as a user name. */
export const publicText = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'public',
  about,
  ...flags,
})
/** `true` or `false`. */
export const flag = (about: string): OptionSpec => ({ kind: 'flag', about })
/** A number. */
export const number = (about: string): OptionSpec => ({ kind: 'number', about })
/** A list of strings. */
export const texts = (about: string): OptionSpec => ({ kind: 'texts', about })
/** An object of strings that are not secrets. */
export const textMap = (about: string): OptionSpec => ({ kind: 'textMap', about })
/** An object of strings and references; values that look like secrets must be references. */
export const secretMap = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'secretMap',
  about,
  ...flags,
})
/** An object with any JSON values. */
export const json = (about: string): OptionSpec => ({ kind: 'json', about })
/** A program with its arguments: a list, or a command line that is split without a shell. */
export const commandLine = (about: string, flags: Flags = {}): OptionSpec => ({
  kind: 'command',
  about,
  ...flags,
})
/** A list of providers. */
export const providers = (about: string): OptionSpec => ({
  kind: 'providers',
  about,
  required: true,
})
/** One of several strings. */
export const choice = (about: string, ...values: readonly string[]): OptionSpec => ({
  kind: 'choice',
  about,
  values,
})
/** An object with specified members. */
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
/** The value `false`, which disables an option. */
export const off = (about: string): OptionSpec => ({ kind: 'false', about })
