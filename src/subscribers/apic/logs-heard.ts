/**
 * Which records of logs were pushed lately. A record that is only found by reading, while later ones were pushed, tells of a
 * spell in which the controller, or the way to it, was deaf: the log has it, but what objects without a log did
 * meanwhile, nobody knows.
 */

/** Names kept at least, of each log. */
const RECENT = 5000

/** A time in which pushes were lost, ms by the fabric's clock. */
export interface Spell {
  readonly fromMs: number
  readonly toMs: number
}

class Log {
  /** When each was made; of one that was only read NaN. In two halves: what is full becomes the older one. */
  recent = new Map<string, number>()
  lessRecent = new Map<string, number>()
  /** Nothing older is judged: its name may be forgotten. */
  forgottenMs = Number.NEGATIVE_INFINITY
  newestPushedMs = Number.NEGATIVE_INFINITY
  overtaken: number[] = []
}

export class LogsHeard {
  readonly #logs = new Map<string, Log>()

  pushed(feed: string, id: string, createdMs: number): void {
    const log = this.#of(feed)
    add(log, id, createdMs)
    if (createdMs > log.newestPushedMs) log.newestPushedMs = createdMs
  }

  /** `lateMs`: a push may still be so much behind a later one. */
  read(feed: string, id: string, createdMs: number, lateMs: number): void {
    const log = this.#of(feed)
    if (log.recent.has(id) || log.lessRecent.has(id)) return
    add(log, id, Number.NaN)
    if (createdMs > log.forgottenMs && createdMs < log.newestPushedMs - lateMs) log.overtaken.push(createdMs)
  }

  /** Around all that reads have found overtaken since the last time. */
  spell(feed: string): Spell | undefined {
    const log = this.#of(feed)
    const { overtaken } = log
    if (overtaken.length === 0) return undefined
    log.overtaken = []
    const [first, last] = [Math.min(...overtaken), Math.max(...overtaken)]
    // As far as the pushes before and after it: those were heard.
    let [fromMs, toMs] = [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY]
    for (const half of [log.recent, log.lessRecent]) {
      for (const ms of half.values()) {
        if (ms <= first && ms > fromMs) fromMs = ms
        if (ms >= last && ms < toMs) toMs = ms
      }
    }
    return { fromMs: Number.isFinite(fromMs) ? fromMs : first, toMs: Number.isFinite(toMs) ? toMs : last }
  }

  #of(feed: string): Log {
    const known = this.#logs.get(feed)
    if (known !== undefined) return known
    const log = new Log()
    this.#logs.set(feed, log)
    return log
  }
}

function add(log: Log, id: string, ms: number): void {
  if (log.recent.size >= RECENT) {
    for (const old of log.lessRecent.values()) if (old > log.forgottenMs) log.forgottenMs = old
    log.lessRecent = log.recent
    log.recent = new Map()
  }
  log.recent.set(id, ms)
}
