/**
 * Keeps the notices of `oidc-provider` out of the output: they are about running it in production. Imported before
 * it, since it prints the first one when it is loaded.
 *
 * @module
 */
for (const level of ['info', 'warn'] as const) {
  const print = console[level]
  console[level] = (...args: unknown[]) => {
    if (!String(args[0]).includes('oidc-provider ')) print.apply(console, args)
  }
}
