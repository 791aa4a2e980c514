/**
 * Which rows of a fault's log are accounted for by what was heard of it. A fault may be in the same state again and again
 * within the time by which its log may be off: so each thing that was heard stands for one row, and for no other. Pure.
 */

interface Pair {
  readonly row: number
  readonly heard: number
  readonly offMs: number
}

/** How far these two are apart, ms; undefined where they can't be one step. */
export type Apart<Row, Heard> = (row: Row, heard: Heard) => number | undefined

/**
 * The rows that nothing heard stands for, in their order. The nearest belong together, and those of the very same time for good. Of the
 * others as few as can be are left over: a log whose clock is off is off for all of them.
 */
export function unaccounted<Row, Heard>(
  rows: readonly Row[],
  heard: readonly Heard[],
  apart: Apart<Row, Heard>,
): Row[] {
  const pairs = pairsOf(rows, heard, apart).sort((a, b) => a.offMs - b.offMs)
  const byRow = Map.groupBy(pairs, pair => pair.row)
  const taken = new Taken()
  for (const pair of pairs) if (!taken.has(pair)) taken.take(pair)
  return rows.filter((_, row) => taken.heardOf(row) === undefined && !makeRoom(row, byRow, taken))
}

/** Who belongs to whom so far. */
class Taken {
  readonly #byRow = new Map<number, Pair>()
  readonly #byHeard = new Map<number, Pair>()

  has({ row, heard }: Pair): boolean {
    return this.#byRow.has(row) || this.#byHeard.has(heard)
  }

  take(pair: Pair): void {
    this.#byRow.set(pair.row, pair)
    this.#byHeard.set(pair.heard, pair)
  }

  heardOf(row: number): number | undefined {
    return this.#byRow.get(row)?.heard
  }

  pairOf(heard: number): Pair | undefined {
    return this.#byHeard.get(heard)
  }
}

/** Finds one for this row, where others can have their next best instead, along the shortest chain of such. */
function makeRoom(first: number, byRow: ReadonlyMap<number, readonly Pair[]>, taken: Taken): boolean {
  const reached = new Map<number, Pair>()
  const queue = [first]
  for (const row of queue) {
    for (const pair of byRow.get(row) ?? []) {
      const holder = taken.pairOf(pair.heard)
      if (reached.has(pair.heard) || holder?.offMs === 0) continue
      reached.set(pair.heard, pair)
      if (holder !== undefined) {
        queue.push(holder.row)
        continue
      }
      for (let next: Pair | undefined = pair; next !== undefined; ) {
        const left = taken.heardOf(next.row)
        taken.take(next)
        next = left === undefined ? undefined : reached.get(left)
      }
      return true
    }
  }
  return false
}

function pairsOf<Row, Heard>(rows: readonly Row[], heard: readonly Heard[], apart: Apart<Row, Heard>): Pair[] {
  const pairs: Pair[] = []
  for (const [row, one] of rows.entries()) {
    for (const [index, other] of heard.entries()) {
      const offMs = apart(one, other)
      if (offMs !== undefined) pairs.push({ row, heard: index, offMs })
    }
  }
  return pairs
}
