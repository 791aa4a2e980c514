/** Tells when the file of a secret or of a trusted authority changed: a source that waits for it tries again at once. */
import { unwatchFile, watchFile } from 'node:fs'
import { Secret } from './secret.ts'

/** How often a file is looked at, ms. Looking survives what watching does not: renames, symlink swaps, remounts. */
const LOOK_MS = 5000

/** A file that is read again at each login. */
type Watched = Pick<Secret, 'path' | 'hasChanged'>

/** What of a parsed source lies in files that are read at each login: its secrets, and the authority that it trusts. */
export function filesOf(block: { readonly tls: { readonly ca_file: string | null } }): Watched[] {
  const values: unknown[] = Object.values(block)
  const secrets = values.flatMap(value => (value instanceof Secret && value.path !== undefined ? [value] : []))
  const { ca_file } = block.tls
  return ca_file === null ? secrets : [...secrets, { path: ca_file, hasChanged: () => false }]
}

/**
 * Calls back when the file of one of them is another than it was when the secret was read last; at once if it is so
 * already: somebody may have mended it while the login that it failed was still under way. Returns how to stop looking.
 */
export function onSecretChange(secrets: readonly Watched[], callback: () => void): () => void {
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
