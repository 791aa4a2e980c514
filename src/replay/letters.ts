/** Dead letters in parts that memory has room for: one may be as large as an answer or a frame. */
import { nextTurn } from '../scheduler/clock.ts'
import { isTooLarge } from '../sinks/burials.ts'
import type { Store, StoredDeadLetter, WhichLetters } from '../store/contract.ts'

const MOST_LETTERS = 50
const MOST_BYTES = 4 * 1024 * 1024

/** The next ones, at most `limit`: few enough to be held at once. */
export function nextLetters(
  store: Pick<Store, 'deadLetters'>,
  limit: number,
  { after = '0', ...of }: WhichLetters,
): StoredDeadLetter[] {
  const letters: StoredDeadLetter[] = []
  let bytes = 0
  while (letters.length < Math.min(limit, MOST_LETTERS) && bytes < MOST_BYTES) {
    const [next] = store.deadLetters(1, { ...of, after: letters.at(-1)?.key ?? after })
    if (next === undefined) break
    letters.push(next)
    bytes += next.bytes
  }
  return letters
}

/** Of a source, or of all, the events that the sink found too large and that lie behind the key `after`. */
export async function* tooLarge(
  store: Pick<Store, 'deadLetters'>,
  of: WhichLetters,
): AsyncGenerator<{ readonly source: string; readonly id: string }> {
  for (let after = of.after; ; ) {
    const letters = nextLetters(store, MOST_LETTERS, { ...of, ...(after === undefined ? {} : { after }) })
    for (const { source, reason, content } of letters) {
      if (isTooLarge(reason)) yield { source, id: (JSON.parse(content) as { id: string }).id }
    }
    after = letters.at(-1)?.key
    if (after === undefined) return
    await nextTurn()
  }
}
