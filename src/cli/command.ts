/**
 * What all commands have in common.
 *
 * @module
 */
import type { Command } from 'commander'
import type { Terminal } from './terminal.ts'

/** What a command is given besides its own options. */
export interface Invocation {
  readonly terminal: Terminal
  /** Aborts on Ctrl-C and when the process is asked to end. */
  readonly signal: AbortSignal
  /** The options that every command has. */
  readonly global: GlobalOptions
}

/** The options that every command has. */
export interface GlobalOptions {
  /** The config file, instead of the places where one is looked for. */
  readonly config?: string
  /** The environment of the config file: `development`, `staging`, `production`. */
  readonly environment?: string
  /** Tells several logins at one server apart. */
  readonly account?: string
  /** The tenant, of a server whose entry in the config file has several. */
  readonly tenant?: string
  /** Show the HTTP conversation, without secrets, on standard error. */
  readonly verbose?: boolean
}

/**
 * Runs a command: `arguments` are those of the command line, then its options. Whatever it throws is printed as a
 * sentence, and decides the exit code; what it returns is the exit code otherwise.
 */
export type CommandRun<Options> = (
  invocation: Invocation,
  options: Options,
  ...given: readonly string[]
) => Promise<number | void>

/** Adds a command to the program. Whatever is slow to load is loaded when the command runs. */
export type AddCommand = (program: Command, run: RunCommand) => void

/** Makes a commander action of a {@link CommandRun}. */
export type RunCommand = <Options>(
  command: CommandRun<Options>,
) => (this: Command, ...given: unknown[]) => Promise<void>
