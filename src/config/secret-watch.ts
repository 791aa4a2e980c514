/** Tells when the file of a secret changed: a source that waits for credentials tries again at once. */
import { unwatchFile, watchFile } from 'node:fs'
import { Secret } from './secret.ts'

/** How often a file is looked at, ms. Looking survives what watching does not: renames, symlink swaps, remounts. */
const LOOK_MS = 5000

/** The files of all secrets in a parsed config block. */
export function secretFiles(block: object): string[] {
  return Object.values(block).flatMap(value =>
    value instanceof Secret && value.path !== undefined ? [value.path] : [],
  )
}

/** Calls back when one of the files changed. Returns how to stop looking. */
export function onFileChange(files: readonly string[], callback: () => void): () => void {
  const listener = (now: { mtimeMs: number; ino: number }, before: { mtimeMs: number; ino: number }): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) callback()
  }
  for (const file of files) watchFile(file, { interval: LOOK_MS, persistent: false }, listener)
  return () => {
    for (const file of files) unwatchFile(file, listener)
  }
}
