/** Takes one binary out of an archive, without touching the system. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** Unpacks a `.deb` or `.tar.gz` into `directory` (which exists). Needs `dpkg-deb` or `tar`. */
export async function unpack(archive: string, form: 'deb' | 'tar.gz', directory: string): Promise<void> {
  if (form === 'tar.gz') {
    await run('tar', ['-xzf', archive, '-C', directory])
    return
  }
  try {
    await run('dpkg-deb', ['-x', archive, directory])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    const data = dataMember(await readFile(archive))
    const file = join(directory, data.name)
    await writeFile(file, data.content)
    await run('tar', ['-xf', file, '-C', directory])
  }
}

const MAGIC = '!<arch>\n'
const HEADER_BYTES = 60

/** The `data.tar.*` member of a Debian package: an `ar` archive, 60-byte headers, members on even offsets (deb(5)). */
export function dataMember(archive: Buffer): { readonly name: string; readonly content: Buffer } {
  if (archive.toString('latin1', 0, MAGIC.length) !== MAGIC) throw new Error('not an ar archive')
  let at = MAGIC.length
  while (at + HEADER_BYTES <= archive.length) {
    const name = archive
      .toString('latin1', at, at + 16)
      .trim()
      .replace(/\/$/, '')
    const size = Number(archive.toString('latin1', at + 48, at + 58).trim())
    if (!Number.isSafeInteger(size) || size < 0) throw new Error('damaged ar header')
    const start = at + HEADER_BYTES
    if (/^data\.tar(\.[a-z0-9]+)?$/.test(name)) return { name, content: archive.subarray(start, start + size) }
    at = start + size + (size % 2)
  }
  throw new Error('no data.tar in the package')
}
