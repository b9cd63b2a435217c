// The package brings no types; these are the two functions that the lock uses.
declare module 'fs-native-extensions' {
  const native: { tryLock(fd: number): boolean; unlock(fd: number): void }
  // biome-ignore lint/style/noDefaultExport: a CommonJS module has no other export.
  export default native
}
