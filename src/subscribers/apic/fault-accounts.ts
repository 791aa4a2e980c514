/**
 * Which rows of a fault's log are accounted for by what was heard of it. A fault may be in the same state again and again
 * within the time by which its log may be off: so each thing that was heard stands for one row, and for no other. Pure.
 */

interface Pair<Heard> {
  readonly row: number
  readonly heard: Heard
  readonly offMs: number
}

/** How far these two are apart, ms; undefined where they can't be one step. */
export type Apart<Row, Heard> = (row: Row, heard: Heard) => number | undefined

/**
 * The rows that nothing heard stands for, in their order. The nearest belong together, and those of the very same time for good. Of the
 * others as few as can be are left over: a log whose clock is off is off for all of them. `heardNear`: those that may stand for a row,
 * and not all there are: a fault may flap thousands of times.
 */
export function unaccounted<Row, Heard>(
  rows: readonly Row[],
  heardNear: (row: Row) => readonly Heard[],
  apart: Apart<Row, Heard>,
): Row[] {
  const taken = new Taken<Heard>()
  for (const pair of pairsOf(rows, heardNear, apart, 'exact')) if (!taken.has(pair)) taken.take(pair)
  const pairs = [...pairsOf(rows, heardNear, apart, 'near')].filter(pair => !taken.has(pair))
  const byRow = Map.groupBy(pairs, pair => pair.row)
  for (const pair of pairs.sort((a, b) => a.offMs - b.offMs)) if (!taken.has(pair)) taken.take(pair)
  const inVain = new Set<Heard>()
  return rows.filter((_, row) => taken.heardOf(row) === undefined && !makeRoom(row, byRow, taken, inVain))
}

/** Who belongs to whom so far. */
class Taken<Heard> {
  readonly #byRow = new Map<number, Pair<Heard>>()
  readonly #byHeard = new Map<Heard, Pair<Heard>>()

  has({ row, heard }: Pair<Heard>): boolean {
    return this.#byRow.has(row) || this.#byHeard.has(heard)
  }

  take(pair: Pair<Heard>): void {
    this.#byRow.set(pair.row, pair)
    this.#byHeard.set(pair.heard, pair)
  }

  heardOf(row: number): Heard | undefined {
    return this.#byRow.get(row)?.heard
  }

  pairOf(heard: Heard): Pair<Heard> | undefined {
    return this.#byHeard.get(heard)
  }
}

/**
 * Finds one for this row, where others can have their next best instead, along the shortest chain of such. What was reached by a
 * search `inVain` leads nowhere later either: without that, each lost row would search all of them again.
 */
function makeRoom<Heard>(
  first: number,
  byRow: ReadonlyMap<number, readonly Pair<Heard>[]>,
  taken: Taken<Heard>,
  inVain: Set<Heard>,
): boolean {
  const reached = new Map<Heard, Pair<Heard>>()
  const queue = [first]
  for (const row of queue) {
    for (const pair of byRow.get(row) ?? []) {
      if (reached.has(pair.heard) || inVain.has(pair.heard)) continue
      reached.set(pair.heard, pair)
      const holder = taken.pairOf(pair.heard)
      if (holder !== undefined) {
        queue.push(holder.row)
        continue
      }
      for (let next: Pair<Heard> | undefined = pair; next !== undefined; ) {
        const left = taken.heardOf(next.row)
        taken.take(next)
        next = left === undefined ? undefined : reached.get(left)
      }
      return true
    }
  }
  for (const heard of reached.keys()) inVain.add(heard)
  return false
}

function* pairsOf<Row, Heard>(
  rows: readonly Row[],
  heardNear: (row: Row) => readonly Heard[],
  apart: Apart<Row, Heard>,
  which: 'exact' | 'near',
): Iterable<Pair<Heard>> {
  for (const [row, one] of rows.entries()) {
    for (const heard of heardNear(one)) {
      const offMs = apart(one, heard)
      if (offMs !== undefined && (offMs === 0) === (which === 'exact')) yield { row, heard, offMs }
    }
  }
}
