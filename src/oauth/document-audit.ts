/**
 * Reports metadata documents that are refused.
 *
 * @module
 */
import type { AuditEvent } from '../audit-events.ts'
import type { AcquireContext } from '../credential.ts'
import { DiscoveryError } from '../errors.ts'
import { resourceLabel } from '../labels.ts'

/** Reads a metadata document, and reports it if it is refused. */
export async function auditDocument<T>(
  { emit }: { readonly emit?: AcquireContext['emit'] | undefined },
  {
    url,
    ...details
  }: Pick<Extract<AuditEvent, { type: 'document_refused' }>, 'document' | 'url' | 'issuer'>,
  read: () => T | Promise<T>,
): Promise<T> {
  try {
    return await read()
  } catch (error) {
    const isRefused = error instanceof DiscoveryError && !error.retryable
    if (isRefused) {
      emit?.({
        type: 'document_refused',
        ...details,
        url: resourceLabel(url),
        reason: error.message,
      })
    }
    throw error
  }
}
