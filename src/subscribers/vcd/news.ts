/** What of the rows that were read is news: which are to be published, as what, and what they teach. */
import type { VcdConfig } from '../../config/sources.ts'
import type { Fact, Origin, SourceRef } from '../../event.ts'
import type { MirrorChange } from '../../record.ts'
import type { Hours } from './hours.ts'
import type { Inventory } from './inventory.ts'
import { type Learned, Lesson } from './learned.ts'
import { normalise, sessionBegun } from './normalise.ts'
import type { Position, Seen } from './position.ts'
import type { AuditRow } from './row.ts'
import { judge, type Standing } from './token-flags.ts'

/** What is read so long after it happened, or longer than the overlap, is no news to an alarm. */
const OLD_MS = 3_600_000

/** How rows came to be read. */
export interface Reading {
  /** Reads with the whole overlap, or a whole hour. */
  readonly sweep: boolean
  /** Closes a hole: everything up to its start is resync. */
  readonly catchUp: boolean
  /** What a fast poll would have found by itself: an unknown row below it is a sweep's find. */
  readonly reach: number
  /** The cell's time when reading began. */
  readonly cap: number
  /** Compares what was dealt with: counted as a whole when it is done, not row by row. */
  readonly audit: boolean
}

export interface News {
  readonly facts: readonly Fact[]
  /** The rows of `facts`, in the same order. */
  readonly fresh: readonly AuditRow[]
  /** To be committed with the facts; `adopt` once that is durable. */
  readonly mirror: readonly MirrorChange[]
  adopt(): void
  /** How many an earlier read of ours missed. */
  readonly recovered: number
}

export interface NewsOptions {
  readonly config: VcdConfig
  readonly ref: SourceRef
  readonly seen: Seen
  readonly learned: Learned
  readonly hours: Hours
  readonly inventory: () => Inventory
  readonly orgName: (id: string | undefined) => string | undefined
  /** What others learned of the rows of this page. */
  readonly alsoLearned: () => readonly MirrorChange[]
}

export class NewsDesk {
  readonly #options: NewsOptions
  readonly #position: Position

  constructor(options: NewsOptions, position: Position) {
    this.#options = options
    this.#position = position
  }

  /** Changes nothing before `adopt`. */
  sort(rows: readonly AuditRow[], reading: Reading): News {
    const { seen, learned, hours, config, ref, inventory, orgName, alsoLearned } = this.#options
    const lesson = new Lesson(learned)
    const counts = hours.draft()
    const unknown = [...new Map(rows.map(row => [row.id, row])).values()].filter(row => !seen.has(row.id))
    // Within a page the cell keeps no order among equals, but by time everything else is.
    unknown.sort((a, b) => a.timeMs - b.timeMs)
    for (const row of unknown) {
      const begun = sessionBegun(row)
      if (begun !== undefined) lesson.learnSession(begun.sessionId, begun.origin, row.timeMs)
    }
    const fresh: AuditRow[] = []
    const facts: Fact[] = []
    let recovered = 0
    for (const row of unknown) {
      const old = this.#isOldNews(row)
      const origin = this.#originOf(row, reading)
      const flags = judge(row, this.#standing(row, old, origin, reading), inventory(), lesson)
      if (old) continue
      if (origin === 'resync' && row.timeMs >= seen.completeFrom) recovered++
      if (!reading.audit && row.timeMs >= this.#position.asked) counts.add(row.timeMs)
      fresh.push(row)
      facts.push(
        normalise(row, {
          source: ref,
          origin,
          inventory: inventory(),
          flags,
          orgName,
          sessionOrigin: id => lesson.sessionOrigin(id),
          raw: config.raw,
        }),
      )
    }
    return {
      facts,
      fresh,
      recovered,
      mirror: [...lesson.changes(), ...counts.changes(), ...alsoLearned()],
      adopt: () => {
        for (const row of unknown) seen.add(row.id, row.timeMs)
        lesson.adopt()
        counts.adopt()
      },
    }
  }

  /**
   * Happened before what is to be published, and may have been there to read at first contact. It is remembered, so that
   * what shows later can be told from it. A process that starts anew remembers nothing: what it meets below `asked`
   * in its first sweep it leaves, since old rows must never come out as news.
   */
  #isOldNews(row: AuditRow): boolean {
    return row.timeMs < this.#position.asked && row.timeMs < this.#options.seen.metFrom
  }

  #originOf(row: AuditRow, { catchUp, sweep, reach, cap }: Reading): Origin {
    if (row.timeMs < this.#position.began && row.timeMs < this.#options.seen.metFrom) return 'backfill'
    if (catchUp) return row.timeMs <= cap ? 'resync' : 'live'
    return sweep && row.timeMs < reach ? 'resync' : 'live'
  }

  #standing(row: AuditRow, old: boolean, origin: Origin, { cap }: Reading): Standing {
    if (old || origin === 'backfill') return 'baseline'
    return cap - row.timeMs > Math.max(OLD_MS, this.#options.config.overlap) ? 'old' : 'news'
  }
}
