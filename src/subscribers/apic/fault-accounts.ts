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

/** What may stand for a row; `exact`: at its very time. */
export type Near<Row, Heard> = (row: Row, which: 'exact' | 'near') => readonly Heard[]

/**
 * The rows that nothing heard stands for, in their order. The nearest belong together, and those of the very same time for good. Of the
 * others as few as can be are left over: a log whose clock is off is off for all of them. `near`: those that may stand for a row,
 * and not all there are, as a fault may flap thousands of times.
 */
export function unaccounted<Row, Heard>(rows: readonly Row[], near: Near<Row, Heard>, apart: Apart<Row, Heard>): Row[] {
  const taken = new Taken<Heard>()
  for (const [row, one] of rows.entries()) {
    for (const pair of pairsOf(row, one, near(one, 'exact'), apart)) {
      if (pair.offMs === 0 && !taken.has(pair)) taken.take(pair)
    }
  }
  const pairs = rows.flatMap((one, row) => {
    if (taken.heardOf(row) !== undefined) return []
    return pairsOf(row, one, near(one, 'near'), apart).filter(pair => !taken.has(pair))
  })
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

function pairsOf<Row, Heard>(row: number, one: Row, heard: readonly Heard[], apart: Apart<Row, Heard>): Pair<Heard>[] {
  const pairs: Pair<Heard>[] = []
  for (const other of heard) {
    const offMs = apart(one, other)
    if (offMs !== undefined) pairs.push({ row, heard: other, offMs })
  }
  return pairs
}
