/** One source's mirror as others read it: what is committed, straight from the file. */
import type { ManagedObject, MirrorView } from '../record.ts'
import type { Rows } from './rows.ts'

/** Objects read at a time: no statement stays open while the reader does something else. */
const PAGE = 500

/** `read` runs on the rows in use: they are others once a damaged file was replaced. */
export function mirrorOf(read: <T>(what: string, read: (rows: Rows) => T) => T, source: string): MirrorView {
  const what = `the mirror of ${source}`
  function* values(): Generator<ManagedObject> {
    let after = ''
    for (;;) {
      const page = read(what, rows => rows.objects(source, after, PAGE))
      yield* page
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE) return
      after = last.key
    }
  }
  return { get: key => read(what, rows => rows.object(source, key)), values }
}
