/** A program of an unpacked package that opens files at a fixed place: started where the package's /usr/share lies over the system's. */
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

const SHARE = 'share'

/**
 * A mount namespace of its own, so nothing else sees it; without root in a user namespace of its own, too. The process stays the
 * same throughout, so signals reach the program. Where neither is allowed it ends with the reason.
 */
const SCRIPT = `#!/bin/sh
here=$(dirname "$(readlink -f "$0")")
if [ "$(id -u)" = 0 ]; then own=--mount; else own="--map-root-user --mount"; fi
exec unshare $own sh -c 'mount --bind "$1" /usr/share && shift && exec "$@"' sh "$here/${SHARE}" "\${0%-bound}" "$@"
`

/** Path of what starts `program` so, beside it in `place`. */
export function boundPath(place: string, program: string): string {
  return join(place, `${program}-bound`)
}

/** Puts it into `place`, where `program` lies, with what the unpacked `tree` of the package has below /usr/share. */
export async function bind(tree: string, place: string, program: string): Promise<void> {
  await rename(join(tree, 'usr', 'share'), join(place, SHARE))
  await writeFile(boundPath(place, program), SCRIPT, { mode: 0o755 })
}

/** Whether it is there, as it was put there. */
export async function isBound(place: string, program: string): Promise<boolean> {
  return (await readFile(boundPath(place, program), 'utf8').catch(() => '')) === SCRIPT
}
