/** Tells when the file of a secret or of a trusted authority changed: a source that waits for it tries again at once. */
import { statSync } from 'node:fs'
import { stat } from 'node:fs/promises'
import { Secret, stampOf } from './secret.ts'

/** How often a file is looked at, ms. Looking survives what watching does not: renames, symlink swaps, remounts. */
const LOOK_MS = 5000

/** What of a clock it needs. */
interface Timer {
  after(ms: number, fn: () => void): () => void
}

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
export function onSecretChange(secrets: readonly Watched[], clock: Timer, callback: () => void): () => void {
  // What is there now is known before anything can change: Node's `watchFile` takes its first look later, and misses that.
  const files = new Map(secrets.flatMap(({ path }) => (path === undefined ? [] : [[path, stampNow(path)]])))
  let cancel: (() => void) | undefined
  let over = false
  const look = async (): Promise<void> => {
    let changed = false
    for (const [path, before] of files) {
      const now = await stat(path).then(stampOf, () => undefined)
      files.set(path, now)
      changed ||= now !== before
    }
    if (over) return
    lookLater()
    if (changed) callback()
  }
  const lookLater = (): void => {
    cancel = clock.after(LOOK_MS, () => void look())
  }
  if (files.size > 0) lookLater()
  if (secrets.some(secret => secret.hasChanged())) callback()
  return () => {
    over = true
    cancel?.()
  }
}

/** Undefined when it can't be looked at. */
function stampNow(path: string): string | undefined {
  try {
    return stampOf(statSync(path))
  } catch {
    return undefined
  }
}
