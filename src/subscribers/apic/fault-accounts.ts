/**
 * Which rows of a fault's log are accounted for by what was heard of it. A fault may be in the same state again and again
 * within the time by which its log may be off: so each thing that was heard stands for one row, and for no other. Pure.
 */

/** Something heard that may be a row, and how far they are apart, ms. Of two as far, rather the one of the lesser `elseMs`. */
export interface Near<Heard> {
  readonly heard: Heard
  readonly offMs: number
  readonly elseMs?: number
}

/** What may stand for a row: those near it, and not all there are, as a fault may flap thousands of times. */
export type Find<Row, Heard> = (row: Row, index: number) => readonly Near<Heard>[]

/** Begins a round of pairing, where each row of that index has found something so far, or not yet. */
export type Round<Row, Heard> = (found: (index: number) => Heard | undefined) => Find<Row, Heard>

interface Pair<Heard> extends Near<Heard> {
  readonly row: number
}

/**
 * The rows that nothing heard stands for, in their order. What `exact` finds belongs together for good. In each round the nearest of the
 * others do, and then as few as can be are left over: a log whose clock is off is off for all of them.
 */
export function unaccounted<Row, Heard>(
  rows: readonly Row[],
  exact: Find<Row, Heard>,
  rounds: readonly Round<Row, Heard>[],
): Row[] {
  const taken = new Taken<Heard>()
  const pairsOf = (find: Find<Row, Heard>): Pair<Heard>[] =>
    rows.flatMap((one, row) => (taken.isForGood(row) ? [] : find(one, row).map(near => ({ ...near, row }))))
  for (const pair of pairsOf(exact)) if (!taken.has(pair)) taken.take(pair, true)
  const byRow = new Map<number, Pair<Heard>[]>()
  for (const round of rounds) {
    for (const pair of pairsOf(round(row => taken.heardOf(row))).sort(byNearness)) {
      if (taken.isForGood(taken.pairOf(pair.heard)?.row)) continue
      if (!taken.has(pair)) taken.take(pair)
      const sofar = byRow.get(pair.row)
      if (sofar === undefined) byRow.set(pair.row, [pair])
      else sofar.push(pair)
    }
    const inVain = new Set<Heard>()
    for (const row of rows.keys()) if (taken.heardOf(row) === undefined) makeRoom(row, byRow, taken, inVain)
  }
  return rows.filter((_, row) => taken.heardOf(row) === undefined)
}

function byNearness<Heard>(a: Near<Heard>, b: Near<Heard>): number {
  return a.offMs - b.offMs || (a.elseMs ?? 0) - (b.elseMs ?? 0)
}

/** Who belongs to whom so far. */
class Taken<Heard> {
  readonly #byRow = new Map<number, Pair<Heard>>()
  readonly #byHeard = new Map<Heard, Pair<Heard>>()
  readonly #forGood = new Set<number>()

  has({ row, heard }: Pair<Heard>): boolean {
    return this.#byRow.has(row) || this.#byHeard.has(heard)
  }

  take(pair: Pair<Heard>, isForGood = false): void {
    this.#byRow.set(pair.row, pair)
    this.#byHeard.set(pair.heard, pair)
    if (isForGood) this.#forGood.add(pair.row)
  }

  isForGood(row: number | undefined): boolean {
    return row !== undefined && this.#forGood.has(row)
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
): void {
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
      return
    }
  }
  for (const heard of reached.keys()) inVain.add(heard)
}
