/**
 * The job loop (raas.md §4.2): new runs, runs in flight, runs that ended and may still get late returns; their
 * counters are compared with the returns seen. What is known of a run stands in the mirror, so a restart goes on.
 */
import type { RaasConfig } from '../../config/sources.ts'
import { Poison } from '../../errors.ts'
import { type Fact, gapFact, type Origin, type SourceRef } from '../../event.ts'
import type { Cursor, DeadLetter, ManagedObject, MirrorChange } from '../../record.ts'
import type { Batch, OpenContext } from '../contract.ts'
import { gapBefore } from '../first-contact.ts'
import type { RaasClient } from './client.ts'
import type { FeedMemory } from './memory.ts'
import { isTerminal, normaliseMissing, normaliseRun, RUN, runAttributes } from './normalise-job.ts'
import type { ReturnsFeed } from './returns.ts'
import { isoOfUs, pageOf, parseUs, type RunRow, readRun } from './rows.ts'
import { type ReadPage, readAll, walkDown } from './walk.ts'

/** States of a run that is under way, whatever its age. */
const IN_FLIGHT = ['new', 'retrieved', 'pausing', 'paused', 'resuming', 'resumed', 'stopping']
const PAGE = 200
/** Runs asked for one by one in a poll, at most. */
const MOST_SINGLE = 50
const CHUNK = 200
const LEAST_KEEP_US = 7_200_000_000
/** Rounds after which a tail that still has not read to its end is not waited for. */
const MOST_STRIKES = 4

export interface RunsOptions {
  readonly config: RaasConfig
  readonly ref: SourceRef
  readonly client: RaasClient
  readonly context: OpenContext
  readonly memory: FeedMemory
  readonly maxRows: number
  readonly push: (batch: Batch) => Promise<void>
  readonly returns: ReturnsFeed
  readonly cursor: JobsCursor
  /** The tail finds returns by itself: it may read once, to its end, before the job's returns are read again. */
  readonly hasTail: boolean
}

/** The cursor of the feed `jobs`: shared by runs and definitions. */
export class JobsCursor {
  /** Newest start time seen; null while there was no run. Undefined before the first contact. */
  startUs: number | null | undefined
  /** Runs that began at or before it were there at the first contact. */
  floorUs: number | null = null
  /** Definitions have been listed once: what is new from now on is news. */
  definitions = false
  #unknownFromMs: number | undefined

  constructor(cursor: Cursor | undefined) {
    if (cursor === undefined) return
    this.definitions = cursor['definitions'] === true
    if (cursor['runs'] !== true) return
    this.startUs = parseUs(cursor['start']) ?? null
    this.floorUs = parseUs(cursor['floor']) ?? null
  }

  /** At the first contact of runs, and of definitions: what came after the store's file was lost. */
  gapBefore(ref: SourceRef, lostMs: number | undefined, toMs: number): Fact[] {
    if (lostMs === undefined) return []
    const told = gapBefore({ ref, feed: 'jobs', lostMs: this.#unknownFromMs ?? lostMs, toMs })
    this.#unknownFromMs = toMs
    return told
  }

  now(): Cursor {
    const { startUs, floorUs, definitions } = this
    return {
      runs: startUs !== undefined,
      start: startUs === null || startUs === undefined ? null : isoOfUs(startUs),
      floor: floorUs === null ? null : isoOfUs(floorUs),
      definitions,
    }
  }
}

interface Change {
  readonly facts: readonly Fact[]
  readonly mirror: MirrorChange
}

/** More returns are counted than were seen. */
interface Strike {
  readonly rounds: number
  /** Counted when that was first so; what is counted since then the tail may still be about to find. */
  readonly returned: number
  /** Rounds of the tail that had begun then. */
  readonly begun: number
}

export class RunsFeed {
  readonly #options: RunsOptions
  readonly #openedUs: number
  #polls = 0
  #lastSweep: number | undefined
  /** By jid. */
  readonly #strikes = new Map<string, Strike>()
  readonly #checked = new Map<string, number>()
  #dead = new Map<string, DeadLetter>()
  /** Runs to forget: over and complete, past the late horizon, or trimmed at the source. */
  #gone: string[] = []
  #lastCursor = ''
  /** Runs stay in the mirror so long after their start: an unknown one younger than that is really new. */
  readonly #keepUs: number

  constructor(options: RunsOptions) {
    this.#options = options
    this.#openedUs = options.client.serverUs()
    this.#keepUs = Math.max(LEAST_KEEP_US, options.config.overlap * 2000)
  }

  async poll(): Promise<void> {
    const { config, cursor, push, context, ref, memory } = this.#options
    const isFirst = cursor.startUs === undefined
    const asked: Origin = config.backfill > 0 ? 'backfill' : 'live'
    const origin: Origin = isFirst ? asked : this.#polls === 0 ? 'resync' : 'live'
    this.#dead = new Map()
    const { rows, learnedBelowUs, gap, startUs, floorUs } = await this.#listed(isFirst)
    for (const row of await this.#inFlight()) rows.set(row.jid, row)
    for (const row of await this.#followed(rows, startUs)) rows.set(row.jid, row)
    const changes: Change[] = []
    for (const row of rows.values()) {
      const previous = context.mirror.get(row.jid)
      const change = await this.#change(row, previous, origin, learnedBelowUs)
      if (change !== undefined) changes.push(change)
    }
    for (const jid of this.#gone) {
      changes.push({ facts: [], mirror: { key: jid, object: null } })
      this.#strikes.delete(jid)
      this.#checked.delete(jid)
    }
    let at = 0
    for (; at + CHUNK < changes.length; at += CHUNK) await push(batchOf(changes.slice(at, at + CHUNK)))
    const last = batchOf(changes.slice(at))
    const before = context.clock.wall() - config.backfill
    const unknown = isFirst ? cursor.gapBefore(ref, context.lostAtMs(), before) : []
    const facts = [...last.facts, ...unknown, ...(gap === undefined ? [] : [gapFact(ref, gap)])]
    // Set with the batch that holds what it covers: the definitions' loop writes the same cursor.
    cursor.startUs = startUs
    cursor.floorUs = floorUs
    const moved = JSON.stringify(cursor.now()) !== this.#lastCursor
    if (moved || facts.length > 0 || (last.mirror?.length ?? 0) > 0 || this.#dead.size > 0) {
      const dead = this.#dead
      const letters = dead.size > 0 ? { dead: [...dead.values()] } : {}
      const committed = (): void => memory.bad.kept(dead)
      await push({ ...last, facts, cursor: cursor.now(), ...letters, committed })
      this.#lastCursor = JSON.stringify(cursor.now())
    }
    await this.#reconcile(rows.values())
    this.#polls++
  }

  #read(filter: Readonly<Record<string, unknown>>): ReadPage {
    return async (limit, page) =>
      pageOf(await this.#options.client.call('cmd.get_cmds', { ...filter, reverse: true, limit, page }))
  }

  #parse(raw: unknown): RunRow | undefined {
    try {
      return readRun(raw)
    } catch (error) {
      if (!(error instanceof Poison)) throw error
      this.#options.memory.bad.note(this.#dead, raw, error.message)
      return undefined
    }
  }

  /** New runs, newest first. `learnedBelowUs`: unknown runs at or below it are learned without a word. */
  async #listed(isFirst: boolean) {
    const { config, memory, maxRows, cursor, client } = this.#options
    const rows = new Map<string, RunRow>()
    const overlapUs = config.overlap * 1000
    const before = cursor.startUs ?? null
    const low = (newestUs: number | undefined): number => {
      if (isFirst && config.backfill > 0) return client.serverUs() - config.backfill * 1000
      if (isFirst) return (newestUs ?? 0) - overlapUs
      if (before === null) return Number.NEGATIVE_INFINITY
      return Math.min(before, newestUs ?? before) - overlapUs
    }
    const result = await walkDown<RunRow>({
      ...{ read: this.#read({ sort_by: 'start_time' }), pace: memory.pace, maxRows, low },
      atUs: row => row.startUs,
      parse: raw => this.#parse(raw),
      take: row => rows.set(row.jid, row),
    })
    const { newestUs } = result
    // An older newest run means a restored database: the cursor goes back with it.
    const moves = newestUs !== undefined && (before === null || newestUs > before || newestUs < before - overlapUs)
    const startUs = moves ? newestUs : before
    let { floorUs } = cursor
    // The first walk puts everything of the overlap below the newest run into the mirror: unknown there means late.
    if (isFirst) floorUs = config.backfill > 0 ? result.lowUs + overlapUs : (newestUs ?? null)
    const floor = floorUs ?? Number.NEGATIVE_INFINITY
    const isMarking = isFirst && config.backfill === 0
    const forgotten = (before ?? Number.NEGATIVE_INFINITY) - this.#keepUs
    const learnedBelowUs = Math.max(isMarking ? floor : floor - overlapUs, forgotten)
    const gap =
      result.complete || result.oldestUs === undefined
        ? undefined
        : {
            ...{ feed: 'jobs', classes: [], reason: 'row_limit' as const, recovered: 0 },
            from: Number.isFinite(result.lowUs) ? isoOfUs(result.lowUs) : null,
            to: isoOfUs(result.oldestUs),
          }
    return { rows, learnedBelowUs, gap, startUs, floorUs }
  }

  async #inFlight(): Promise<RunRow[]> {
    const raw = await readAll(this.#read({ state: IN_FLIGHT, sort_by: 'start_time' }), PAGE)
    return raw.map(row => this.#parse(row)).filter(row => row !== undefined)
  }

  /** Known runs that the listings no longer show and that may have changed. */
  async #followed(rows: ReadonlyMap<string, RunRow>, newestUs: number | null): Promise<RunRow[]> {
    const { context, config, client, returns, hasTail } = this.#options
    const now = client.serverUs()
    const horizonUs = config.late_horizon * 1000
    const touched = returns.takeTouched()
    const { clock } = context
    const isSweep = !hasTail || this.#lastSweep === undefined || clock.now() - this.#lastSweep >= config.sweep_interval
    if (isSweep) this.#lastSweep = clock.now()
    const wanted: string[] = []
    this.#gone = []
    for (const object of context.mirror.values()) {
      if (object.family !== RUN || rows.has(object.key)) continue
      const { attributes } = object
      const state = attributes['state'] ?? ''
      const startUs = parseUs(attributes['start'])
      const endedUs = parseUs(attributes['ended']) ?? startUs ?? now
      const isOld = endedUs + horizonUs < now
      if (isTerminal(state)) {
        const isOpen = Number(attributes['missing']) > 0 || attributes['checked'] !== attributes['returned']
        const isBelow = (startUs ?? endedUs) < (newestUs ?? 0) - this.#keepUs
        if (isOld || (!isOpen && isBelow)) this.#gone.push(object.key)
        else if (touched.has(object.key) || this.#strikes.has(object.key) || (isOpen && isSweep))
          wanted.push(object.key)
      } else if (!IN_FLIGHT.includes(state) && isOld) this.#gone.push(object.key)
      else wanted.push(object.key)
    }
    // Too many for one poll: those that wait are asked in another order next time.
    const from = wanted.length > MOST_SINGLE ? (this.#polls * MOST_SINGLE) % wanted.length : 0
    const found: RunRow[] = []
    for (const jid of [...wanted.slice(from), ...wanted.slice(0, from)].slice(0, MOST_SINGLE)) {
      const page = await this.#read({ jid })(1, 0)
      const row = page.rows.map(raw => this.#parse(raw)).find(one => one?.jid === jid)
      // Trimmed: nothing more will ever be known of it.
      if (row === undefined) this.#gone.push(jid)
      else found.push(row)
    }
    return found
  }

  async #change(
    row: RunRow,
    previous: ManagedObject | undefined,
    origin: Origin,
    learnedBelowUs: number,
  ): Promise<Change | undefined> {
    const { config, ref, client, returns } = this.#options
    const { raw } = config
    const isLearned = previous === undefined && row.startUs !== undefined && row.startUs <= learnedBelowUs
    const isPublished = config.jobs && !isLearned
    const facts = isPublished ? normaliseRun(ref, row, previous, { raw, origin }) : []
    const hadEnded = previous !== undefined && isTerminal(previous.attributes['state'] ?? '')
    const hasEnded = isTerminal(row.state)
    if (isPublished && hasEnded && !hadEnded && row.missing > 0) {
      facts.push(normaliseMissing(ref, row, await returns.missing(row.jid), { raw, origin }))
    }
    const kept: Record<string, string> = {}
    const { checked, ended } = previous?.attributes ?? {}
    if (checked !== undefined) kept['checked'] = checked
    if (hasEnded) kept['ended'] = ended ?? isoOfUs(client.serverUs())
    // What was over before the first contact is not gone through again.
    if (isLearned && hasEnded) kept['checked'] = String(row.returned)
    const attributes = runAttributes(row, kept)
    if (previous !== undefined && facts.length === 0 && sameAttributes(previous.attributes, attributes))
      return undefined
    const version = facts.at(-1)?.id ?? previous?.version ?? ''
    return { facts, mirror: { key: row.jid, object: { key: row.jid, family: RUN, version, attributes } } }
  }

  /** More returns counted than seen, by the tail's next round too: the job's are read again, through the same memory. */
  async #reconcile(rows: Iterable<RunRow>): Promise<void> {
    const { returns, hasTail, context, config, push } = this.#options
    const changes: MirrorChange[] = []
    if (!returns.tail.isStarted) return
    for (const row of rows) {
      const { jid, returned } = row
      const known = context.mirror.get(jid)
      const checked = Math.max(Number(known?.attributes['checked'] ?? 0), this.#checked.get(jid) ?? 0)
      const seen = returns.seen(jid)
      if (checked < returned && seen < returned) {
        const before = this.#strikes.get(jid)
        const since = before === undefined || seen >= before.returned ? undefined : before
        const strike = { ...(since ?? { returned, begun: returns.begun }), rounds: (since?.rounds ?? 0) + 1 }
        this.#strikes.set(jid, strike)
        const isTailDue = since === undefined || !returns.hasReadSince(since.begun)
        if (hasTail && isTailDue && strike.rounds < MOST_STRIKES) continue
        const count = await returns.reconcile(row)
        const isOwn = hasTail && row.startUs !== undefined && row.startUs > this.#openedUs
        if (isOwn && count > 0) {
          context.report({ type: 'feed_recovered', source: config.name, feed: 'returns', count })
        }
      }
      this.#strikes.delete(jid)
      this.#checked.set(jid, returned)
      if (!isTerminal(row.state)) continue
      this.#checked.delete(jid)
      if (known !== undefined && known.attributes['checked'] !== String(returned)) {
        const attributes = { ...known.attributes, checked: String(returned) }
        changes.push({ key: jid, object: { ...known, attributes } })
      }
    }
    if (changes.length > 0) await push({ feed: 'jobs', facts: [], mirror: changes })
  }
}

function sameAttributes(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return [...names].every(name => a[name] === b[name])
}

function batchOf(changes: readonly Change[]): Batch {
  return { feed: 'jobs', facts: changes.flatMap(change => change.facts), mirror: changes.map(change => change.mirror) }
}
