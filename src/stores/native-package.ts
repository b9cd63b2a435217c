/**
 * Native packages, which bundlers cannot include.
 *
 * @module
 */
import { createRequire } from 'node:module'

/**
 * Returns the files from which packages are resolved: the module, or its bundle, and the executable, which
 * may contain the whole application.
 */
export function packageAnchors(): readonly string[] {
  // There is no URL in a CommonJS bundle.
  const url = import.meta.url as string | undefined
  const file = typeof __filename === 'string' ? __filename : undefined
  return [url, file, process.execPath].filter((anchor) => anchor !== undefined)
}

/**
 * Loads a native package, which is CommonJS.
 *
 * @param load - Imports it by its name, so that bundlers and file tracers detect it.
 * @throws The error of its code, or that it cannot be found.
 */
export async function loadNativePackage<T>(
  name: string,
  load: () => Promise<{ readonly default: T }>,
): Promise<T> {
  try {
    return (await load()).default
  } catch (error) {
    // A bundled copy cannot find its native part, and a single executable cannot import packages.
    for (const anchor of packageAnchors()) {
      try {
        return createRequire(anchor)(name) as T
      } catch {
        // The error of the import is more specific.
      }
    }
    throw error
  }
}
