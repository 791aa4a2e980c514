/** Tells when the file of a secret changed: a source that waits for credentials tries again at once. */
import { unwatchFile, watchFile } from 'node:fs'
import { Secret } from './secret.ts'

/** How often a file is looked at, ms. Looking survives what watching does not: renames, symlink swaps, remounts. */
const LOOK_MS = 5000

/** The secrets in a parsed config block that lie in files. */
export function secretsIn(block: object): Secret[] {
  return Object.values(block).filter(value => value instanceof Secret && value.path !== undefined)
}

/**
 * Calls back when the file of one of them is another than it was when the secret was read last; at once if it is so
 * already: somebody may have mended it while the login that it failed was still under way. Returns how to stop looking.
 */
export function onSecretChange(secrets: readonly Secret[], callback: () => void): () => void {
  const listener = (now: { mtimeMs: number; ino: number }, before: { mtimeMs: number; ino: number }): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) callback()
  }
  const files = secrets.flatMap(secret => secret.path ?? [])
  for (const file of files) watchFile(file, { interval: LOOK_MS, persistent: false }, listener)
  if (secrets.some(secret => secret.hasChanged())) callback()
  return () => {
    for (const file of files) unwatchFile(file, listener)
  }
}
