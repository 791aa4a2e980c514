/** What is said of single feeds, of which there may be thousands: one line per loss and return, and bounded. */
import type { Happening } from '../report.ts'
import type { Clock } from '../scheduler/clock.ts'
import type { Log, LogFields, LogLevel } from './log.ts'
import { joined } from './text.ts'

/** That a socket is held back is told at most this often, and its end when it lasted so long. */
const PAUSE_TOLD_MS = 60_000
const LONG_PAUSE_MS = 10_000
/** Lines per source and `CROWD_MS`: when thousands fall together, the first ones tell the story. */
const CROWD_LINES = 20
const CROWD_MS = 60_000
/** The mode of a feed on its way to its usual one: the feed's state tells the same. */
const PASSING_MODE = 'catching_up'

type Of<T extends Happening['type']> = Extract<Happening, { type: T }>

interface Crowd {
  since: number
  told: number
  untold: number
}

export class FeedNarrator {
  readonly #log: Log
  readonly #clock: Clock
  /** The state of feeds whose loss was told. */
  readonly #fallen = new Map<string, string>()
  readonly #modes = new Map<string, string>()
  readonly #pauseTold = new Map<string, number>()
  readonly #crowds = new Map<string, Crowd>()

  constructor(log: Log, clock: Clock) {
    this.#log = log
    this.#clock = clock
  }

  gone({ source, feed }: Of<'feed_gone'>): void {
    this.#fallen.delete(`${source} ${feed}`)
    this.#modes.delete(`${source} ${feed}`)
  }

  leaseLost({ source, lease, name, reason }: Of<'lease_lost'>): void {
    const text = `${source}: lost its ${lease} ${name}: ${reason}`
    if (lease === 'subscription') this.#line('warn', text, { source })
    else this.#log.write('warn', text, { source })
  }

  /** In a flood it may happen often: a line a minute, and one for each that was long. */
  paused({ source, paused, full, ms }: Of<'source_paused'>): void {
    const why = full ? 'the store is full' : 'more is pushed than can be stored'
    const text = paused ? `its socket is held back: ${why}` : `its socket was held back for ${Math.round(ms / 1000)} s`
    const now = this.#clock.now()
    const isNews = paused && now - (this.#pauseTold.get(source) ?? Number.NEGATIVE_INFINITY) >= PAUSE_TOLD_MS
    if (isNews) this.#pauseTold.set(source, now)
    const isLong = !paused && ms >= LONG_PAUSE_MS
    this.#log.write(isNews || isLong ? 'warn' : 'debug', `${source}: ${text}`, { source })
  }

  /** A line about one feed of perhaps thousands: past the first ones of a minute they are debug, and counted. */
  #line(level: LogLevel, text: string, fields: LogFields & { readonly source: string }): void {
    const now = this.#clock.now()
    const crowd = this.#crowds.get(fields.source) ?? { since: now, told: 0, untold: 0 }
    this.#crowds.set(fields.source, crowd)
    if (now - crowd.since >= CROWD_MS) Object.assign(crowd, { since: now, told: 0 })
    if (crowd.told >= CROWD_LINES) {
      crowd.untold++
      this.#log.write('debug', text, fields)
      return
    }
    crowd.told++
    const more = crowd.untold === 0 ? '' : ` (and ${crowd.untold} more lines about its feeds before)`
    crowd.untold = 0
    this.#log.write(level, `${text}${more}`, fields)
  }

  state({ source, feed, state, reason, code }: Of<'feed_state'>): void {
    const key = `${source} ${feed}`
    const before = this.#fallen.get(key)
    const fields = { source, feed, state, code, reason }
    const text = joined(`${source}: feed ${feed} is ${state}`, reason)
    if (state === 'lost' || state === 'disabled') {
      this.#fallen.set(key, state)
      if (before === state) this.#log.write('debug', text, fields)
      else this.#line(state === 'lost' ? 'warn' : 'error', text, fields)
    } else if (state === 'live' && before !== undefined) {
      this.#fallen.delete(key)
      this.#line('info', `${text} again`, fields)
    } else {
      // As it should go: many feeds start together, and the source's own line says that it is up.
      this.#log.write('debug', text, fields)
    }
  }

  mode({ source, feed, mode }: Of<'feed_mode'>): void {
    if (mode === PASSING_MODE) {
      this.#log.write('debug', `${source}: feed ${feed} is catching up`, { source, feed })
      return
    }
    const key = `${source} ${feed}`
    const before = this.#modes.get(key)
    if (before === mode) return
    this.#modes.set(key, mode)
    const level = before === undefined ? 'debug' : 'info'
    this.#log.write(level, `${source}: feed ${feed} works in mode ${mode}`, { source, feed, mode, before })
  }
}
