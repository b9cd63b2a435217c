/**
 * Native packages, which no bundler can put into its one file.
 *
 * @module
 */
import { createRequire } from 'node:module'

/**
 * The files next to which packages are looked for: the module, or the bundle that it is part of, and the
 * executable, which may hold the whole application.
 */
export function packageAnchors(): readonly string[] {
  // A bundler that writes CommonJS leaves no URL here.
  const url = import.meta.url as string | undefined
  const file = typeof __filename === 'string' ? __filename : undefined
  return [url, file, process.execPath].filter((anchor) => anchor !== undefined)
}

/**
 * Loads a native package, which is CommonJS.
 *
 * @param load - Imports it by its name, so that bundlers and tracers of files see that it is needed.
 * @throws Whatever its code throws, or the error that it cannot be found.
 */
export async function loadNativePackage<T>(
  name: string,
  load: () => Promise<{ readonly default: T }>,
): Promise<T> {
  try {
    return (await load()).default
  } catch (error) {
    // A bundled copy cannot find its native part, and a single executable can import nothing.
    for (const anchor of packageAnchors()) {
      try {
        return createRequire(anchor)(name) as T
      } catch {
        // The error of the import says more.
      }
    }
    throw error
  }
}
