/**
 * Types that all commands share.
 *
 * @module
 */
import type { Command } from 'commander'
import type { Terminal } from './terminal.ts'

/** What a command receives besides its own options. */
export interface Invocation {
  readonly terminal: Terminal
  /** Aborts on Ctrl-C, SIGTERM and SIGHUP. */
  readonly signal: AbortSignal
  /** The options that every command has. */
  readonly global: GlobalOptions
}

/** The options that every command has. */
export interface GlobalOptions {
  /** The config file; without it, the usual places are searched. */
  readonly config?: string
  /** The environment of the config file: `development`, `staging`, `production`. */
  readonly environment?: string
  /** Separates several logins at one server. */
  readonly account?: string
  /** The tenant, for a server whose config entry has several. */
  readonly tenant?: string
  /** Log HTTP requests and responses, without secrets, to standard error. */
  readonly verbose?: boolean
}

/**
 * Runs a command. The exit code is what it returns; an error that it throws is printed and determines the
 * exit code.
 */
export type CommandRun<Options> = (
  invocation: Invocation,
  options: Options,
  ...given: readonly string[]
) => Promise<number | void>

/** Adds a command to the program. Modules that are slow to load are imported when the command runs. */
export type AddCommand = (program: Command, run: RunCommand) => void

/** Turns a {@link CommandRun} into a commander action. */
export type RunCommand = <Options>(
  command: CommandRun<Options>,
) => (this: Command, ...given: unknown[]) => Promise<void>
