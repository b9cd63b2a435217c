/**
 * What stands for a credential where a server asks for none.
 *
 * @module
 */
import type { Credential } from './credential.ts'

/** The `apply` of a credential that adds nothing to a request. */
export function addNothing(): void {}

/** Whether a credential adds nothing to a request. */
export function isEmptyCredential(credential: Credential | undefined): boolean {
  return credential?.apply === addNothing
}
