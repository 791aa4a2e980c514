/** The stand-in's database: job definitions, runs, returns and audit rows, and when each became visible. */
import { randomUUID } from 'node:crypto'
import type { Time } from '../server.ts'
import type { RaasKnobs } from './knobs.ts'

export type Row = Record<string, unknown>

export interface ReturnRow {
  readonly row: Row
  readonly jid: string
  readonly minion: string
  readonly master: string
  readonly hasErrors: boolean
  /** Server time in microseconds since the epoch: what alter_time says. */
  readonly alterUs: number
  /** `time.now()` from which queries see it. */
  readonly visibleAt: number
}

/** One return that queries could see, for counting: what it said and from when to when. */
export interface ReturnRecord {
  readonly jid: string
  readonly minion: string
  readonly master: string
  readonly function: string
  readonly alterTime: string
  /** What makes two returns of one minion different: function, body, retcode, success. */
  readonly content: string
  readonly visibleAt: number
  /** `time.now()` when it was overwritten or trimmed. */
  until?: number
}

export interface Run {
  readonly jid: string
  readonly row: Row
  readonly startMs: number
  /** Minion to master. */
  readonly targets: Map<string, string>
  /** A state set by hand (`cmd.track_state`): stands until a return or time moves a state that can move. */
  state: string
  retrieved: boolean
}

export interface Target {
  readonly uuid: string
  readonly name: string
  readonly tgt: Row
}

/** One event as a master's plugin sends it: tag and data of the Salt event bus. */
export interface BusEvent {
  readonly tag: string
  readonly data: Row
}

/** Microseconds since the epoch → `2026-03-12T08:17:44.720943`. */
export function stampOf(us: number): string {
  const ms = Math.floor(us / 1000)
  return `${new Date(ms).toISOString().slice(0, -1)}${String(us - ms * 1000).padStart(3, '0')}`
}

export class Tables {
  readonly #time: Time
  readonly #knobs: RaasKnobs
  readonly jobs = new Map<string, Row>()
  readonly targets = new Map<string, Target>()
  /** Minion to master: whom the masters know. */
  readonly minions = new Map<string, string>()
  readonly runs = new Map<string, Run>()
  returns: ReturnRow[] = []
  audit: { row: Row; startUs: number }[] = []
  readonly record: { returns: ReturnRecord[]; runs: string[] } = { returns: [], runs: [] }
  readonly #byJid = new Map<string, ReturnRow[]>()
  readonly #recordOf = new Map<ReturnRow, ReturnRecord>()
  #pushes = 0
  #lastJidUs = 0
  #auditId = 0
  #seed = 0x9e3779b9

  constructor(time: Time, knobs: RaasKnobs) {
    this.#time = time
    this.#knobs = knobs
  }

  /** Own generator (mulberry32), so that ties are shuffled whatever the test's clock says of chance. */
  chance(): number {
    this.#seed = (this.#seed + 0x6d2b79f5) | 0
    let x = Math.imul(this.#seed ^ (this.#seed >>> 15), 1 | this.#seed)
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296
  }

  wallMs(): number {
    return this.#time.wall()
  }

  nowUs(): number {
    return Math.floor(this.#time.wall()) * 1000 + Math.floor(this.chance() * 1000)
  }

  visible(): ReturnRow[] {
    const now = this.#time.now()
    return this.returns.filter(row => row.visibleAt <= now)
  }

  returnsOf(jid: string): ReturnRow[] {
    const now = this.#time.now()
    return (this.#byJid.get(jid) ?? []).filter(row => row.visibleAt <= now)
  }

  /** A jid nobody has: 20 digits of UTC time. */
  newJid(): { jid: string; us: number } {
    const us = Math.max(this.nowUs(), this.#lastJidUs + 1)
    this.#lastJidUs = us
    return { jid: stampOf(us).replace(/\D/g, ''), us }
  }

  addRun(run: Run): void {
    this.runs.set(run.jid, run)
    this.record.runs.push(run.jid)
  }

  /** What a master pushed: one transaction, so one alter_time for all of it. */
  push(master: string, events: readonly BusEvent[]): void {
    const number = ++this.#pushes
    const alterUs = this.nowUs() + Math.round(this.#knobs.writerSkewMs(number) * 1000)
    const visibleAt = this.#time.now() + this.#knobs.commitDelayMs(number)
    for (const { tag, data } of events) {
      const [, kind, jid, what, minion] = tag.split('/')
      if (kind !== 'job' && kind !== 'run') continue
      if (what === 'new') this.#published(String(jid), master, data)
      else if (what === 'ret') {
        this.#save(master, String(jid), minion ?? String(data['id'] ?? `${master}_master`), data, alterUs, visibleAt)
      }
    }
  }

  #published(jid: string, master: string, data: Row): void {
    const run = this.runs.get(jid)
    if (run === undefined) return
    run.retrieved = true
    for (const minion of (data['minions'] as string[] | undefined) ?? []) run.targets.set(minion, master)
  }

  #save(master: string, jid: string, minion: string, data: Row, alterUs: number, visibleAt: number): void {
    const retcode = data['retcode']
    const hasErrors =
      typeof data['has_errors'] === 'boolean'
        ? data['has_errors']
        : data['success'] === false || (typeof retcode === 'number' && retcode !== 0)
    const { zone, stampSeparator, extraColumns } = this.#knobs
    const alterTime = `${stampOf(alterUs).replace('T', stampSeparator)}${zone}`
    const extra = Object.fromEntries(Array.from({ length: extraColumns }, (_, n) => [`column_${n}`, n]))
    const { has_errors: _, ...full } = data
    const saved: ReturnRow = {
      jid,
      minion,
      master,
      hasErrors,
      alterUs,
      visibleAt,
      row: {
        jid,
        minion_id: minion,
        master,
        ...extra,
        master_uuid: `5c56aaaa-0000-4000-8000-${master.length.toString().padStart(12, '0')}`,
        fun: data['fun'] ?? null,
        fun_args: data['fun_args'] ?? [],
        has_errors: hasErrors,
        alter_time: alterTime,
        return: data['return'] ?? null,
        full_ret: { _stamp: stampOf(alterUs), cmd: '_return', id: minion, jid, master_id: master, ...full },
      },
    }
    const earlier = (this.#byJid.get(jid) ?? []).filter(row => row.minion === minion && row.master === master)
    if (this.#knobs.secondReturn === 'overwrite') for (const row of earlier) this.#remove(row)
    this.#insert(saved)
    this.#byJid.set(jid, [...(this.#byJid.get(jid) ?? []), saved])
    const note: ReturnRecord = {
      jid,
      minion,
      master,
      function: String(data['fun'] ?? ''),
      alterTime,
      content: JSON.stringify([data['fun'], data['return'] ?? null, retcode ?? null, data['success'] ?? null]),
      visibleAt,
    }
    this.#recordOf.set(saved, note)
    this.record.returns.push(note)
    const run = this.runs.get(jid)
    if (run !== undefined) {
      run.retrieved = true
      if (!run.targets.has(minion)) run.targets.set(minion, master)
    }
  }

  /** In the order of alter_time, where the newest rows are asked for most. */
  #insert(row: ReturnRow): void {
    let at = this.returns.length
    while (at > 0 && (this.returns[at - 1]?.alterUs ?? 0) > row.alterUs) at--
    this.returns.splice(at, 0, row)
  }

  #remove(gone: ReturnRow): void {
    this.returns.splice(this.returns.indexOf(gone), 1)
    const rest = (this.#byJid.get(gone.jid) ?? []).filter(row => row !== gone)
    this.#byJid.set(gone.jid, rest)
    const note = this.#recordOf.get(gone)
    if (note !== undefined) note.until = this.#time.now()
    this.#recordOf.delete(gone)
  }

  /** Writes a row again with what it said already: a new alter_time and nothing else. */
  touch(jid: string, minion: string): void {
    for (const old of this.returnsOf(jid).filter(row => row.minion === minion)) {
      const full = old.row['full_ret'] as Row
      this.#remove(old)
      this.#save(old.master, jid, minion, { ...full, has_errors: old.hasErrors }, this.nowUs(), this.#time.now())
    }
  }

  /** Drops returns and runs whose time is before `us`, as `admin.trim_database` does. */
  trim(us: number): void {
    for (const row of this.returns.filter(one => one.alterUs < us)) this.#remove(row)
    for (const run of [...this.runs.values()]) if (run.startMs * 1000 < us) this.runs.delete(run.jid)
  }

  /** The database of that moment again: everything newer never happened. */
  restore(us: number): void {
    for (const row of this.returns.filter(one => one.alterUs > us)) this.#remove(row)
    for (const run of [...this.runs.values()]) if (run.startMs * 1000 > us) this.runs.delete(run.jid)
  }

  /** State and counters of a run as queries see them now. */
  runRow(run: Run): Row {
    const returns = new Map<string, boolean>()
    for (const row of this.returnsOf(run.jid)) {
      returns.set(row.minion, (returns.get(row.minion) ?? false) || row.hasErrors)
    }
    const failed = [...returns.values()].filter(Boolean).length
    const age = this.#time.wall() - run.startMs
    const retrieved = run.retrieved || age >= this.#knobs.retrieveAfterMs
    const expected = retrieved ? run.targets.size : 0
    const missing = Math.max(0, expected - returns.size)
    let { state } = run
    if (state === 'new' && retrieved) state = 'retrieved'
    if (state === 'retrieved' || state === 'resumed') {
      if (expected > 0 && missing === 0) state = failed > 0 ? 'completed_failures' : 'completed_all_successful'
      else if (age >= this.#knobs.missingAfterMs) state = 'completed_missing_returns'
    }
    return {
      ...run.row,
      state,
      expected,
      returned: returns.size,
      returned_good: returns.size - failed,
      returned_failed: failed,
      not_returned: missing,
      masters_done: missing === 0 && expected > 0 ? run.row['masters_to'] : [],
    }
  }

  addAudit(what: {
    username: string
    type: string
    name: string
    failed: boolean
    startUs: number
    request: Row
  }): void {
    const endUs = this.nowUs()
    this.audit.push({
      startUs: what.startUs,
      row: {
        id: ++this.#auditId,
        session_uuid: randomUUID(),
        username: what.username,
        event_type: what.type,
        event_name: what.name,
        failed: what.failed,
        start_time: `${stampOf(what.startUs)}+00:00`,
        end_time: `${stampOf(endUs)}+00:00`,
        elapsed_msec: Math.max(0, Math.round((endUs - what.startUs) / 1000)),
        details: what.request,
      },
    })
    if (this.audit.length > 20_000) this.audit.splice(0, 5000)
  }
}
