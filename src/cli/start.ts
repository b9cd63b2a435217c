/**
 * The modules that every command needs.
 *
 * @module
 */
export { runProgram } from './program.ts'
export { processTerminal } from './terminal.ts'
