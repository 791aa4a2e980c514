/** A small disk of its own for the store, that can be filled; only root can have one. */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const CHUNK = Buffer.alloc(64 * 1024)

export class Disk {
  readonly path: string
  readonly #unmount = (): void => {
    spawnSync('umount', ['--lazy', this.path])
  }

  private constructor(path: string) {
    this.path = path
    process.once('exit', this.#unmount)
  }

  /** Mounts a tmpfs; undefined, with a line of why, where that is not allowed. */
  static mount(path: string, uid: number, say: (why: string) => void): Disk | undefined {
    mkdirSync(path, { recursive: true })
    const options = `size=48m,uid=${uid},gid=${uid},mode=700`
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'opswire', path], { encoding: 'utf8' })
    if (status === 0) return new Disk(path)
    say(`NOT RUN: a full disk: ${stderr?.trim() || 'there is no mount'}`)
    return undefined
  }

  /** Fills it to the last byte. Gives the way back. */
  fill(): () => void {
    const filler = join(this.path, 'filler')
    const file = openSync(filler, 'w')
    for (let size = CHUNK.length; size > 0; ) {
      try {
        writeSync(file, CHUNK, 0, size)
      } catch {
        size = Math.floor(size / 2)
      }
    }
    closeSync(file)
    return () => rmSync(filler, { force: true })
  }

  unmount(): void {
    process.off('exit', this.#unmount)
    this.#unmount()
  }
}
