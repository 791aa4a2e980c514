/** The feed `returns`: the tail over ret.get_returns, and reading the returns of one job. */
import type { RaasConfig } from '../../config/sources.ts'
import { codeOf } from '../../errors.ts'
import { type Fact, gapFact, type SourceRef } from '../../event.ts'
import type { Report } from '../../report.ts'
import type { Batch, OpenContext } from '../contract.ts'
import { gapBefore } from '../first-contact.ts'
import { Answered } from './answered.ts'
import { BoundedMap } from './bounded.ts'
import { isRefused, type RaasClient } from './client.ts'
import type { TailMemory } from './memory.ts'
import { contentDigest, isHousekeeping, normaliseReturn, type ReturnOptions } from './normalise-return.ts'
import { readingAround } from './oversize.ts'
import { matcherOf } from './redact.ts'
import { isoOfUs, isRow, pageOf, type ReturnRow, type RunRow, readReturn, readRun, textOf } from './rows.ts'
import { TailFeed } from './tail.ts'
import { type ReadPage, readAll } from './walk.ts'

const JID_LENGTH = 20
const MOST_REVISIONS = 50_000
const PAGE = 200

export interface ReturnsOptions {
  readonly config: RaasConfig
  readonly ref: SourceRef
  readonly client: RaasClient
  readonly context: OpenContext
  readonly memory: TailMemory
  readonly maxRows: number
  readonly push: (batch: Batch) => Promise<void>
  /** ret.get_returns answers here; otherwise returns are read by cmd.get_cmd_details. */
  readonly hasReturns: boolean
  /** cmd.get_cmds answers here. */
  readonly hasRuns: boolean
}

export class ReturnsFeed {
  readonly tail: TailFeed<ReturnRow>
  readonly #options: ReturnsOptions
  readonly #normalise: ReturnOptions
  readonly #report: Report
  /** What the job loop's counters are compared with. */
  readonly #answered = new Answered()
  /** Rounds of the tail that began and that ended. */
  readonly #rounds = { begun: 0, ended: 0 }
  readonly #revisions = new BoundedMap<{ readonly digest: string; readonly number: number }>(MOST_REVISIONS)

  constructor(options: ReturnsOptions) {
    const { config, client, context, memory, maxRows, push, ref } = options
    this.#options = options
    this.#report = context.report
    this.#normalise = {
      raw: config.raw,
      includeBodyFor: config.returns.include_body_for,
      redact: config.returns.redact,
    }
    const rememberMs = 2 * Math.max(config.overlap, config.late_horizon)
    const page: ReadPage = async (limit, number) =>
      pageOf(await client.call('ret.get_returns', { sort_by: 'alter_time', reverse: true, limit, page: number }))
    const { oversize } = memory
    let holes: readonly { readonly at: number; readonly size: number }[] = []
    this.tail = new TailFeed<ReturnRow>({
      ...{ ref, feed: 'returns', clock: context.clock, report: context.report, memory, maxRows, push },
      prepare: async fromUs => {
        holes = await oversize.locate(page, fromUs, client.serverUs())
      },
      read: readingAround(
        page,
        () => holes,
        async position => {
          // Not where it was looked for: rows moved meanwhile, so the other positions are not certain either.
          holes = []
          if (await oversize.met(page, position, client.serverUs())) this.#skipped()
        },
        rows => memory.pace.tooLarge(rows),
      ),
      hasJobLoop: options.hasRuns,
      toldUs: () => client.toldUs(),
      parse: raw => readReturn(raw),
      atUs: row => row.alterUs,
      keyOf: row => `${row.jid}|${row.master}|${row.minion}`,
      nameOf: row => `${row.jid}|${row.master}|${row.minion}|${row.alterUs ?? contentDigest(row)}`,
      fact: (row, origin) =>
        isHousekeeping(row)
          ? undefined
          : normaliseReturn(options.ref, row, this.#normalise, { origin, revision: this.#revision(row) }),
      saw: row => this.saw(row),
      serverUs: () => client.serverUs(),
      ...{ overlapMs: config.overlap, backfillMs: config.backfill, rememberMs },
      cursor: context.cursor('returns'),
      unknown: () =>
        gapBefore({
          ...{ ref: options.ref, feed: 'returns', lostMs: context.lostAtMs() },
          toMs: context.clock.wall() - config.backfill,
        }),
      fill: (fromUs, toUs) => this.#fill(fromUs, toUs),
    })
  }

  /** The tail's round. */
  async poll(sweepEveryMs: number): Promise<void> {
    this.#rounds.begun++
    await this.tail.pollAndSweep(sweepEveryMs)
    this.#rounds.ended++
  }

  /** Rounds of the tail that have begun. */
  get begun(): number {
    return this.#rounds.begun
  }

  /** Whether the tail has read once from beginning to end since so many rounds had begun. */
  hasReadSince(begun: number): boolean {
    return this.#rounds.ended > begun
  }

  saw(row: ReturnRow): void {
    // Only the job loop ever asks.
    if (this.#options.hasRuns) this.#answered.add(row.jid, row.minion)
  }

  /** How many minions' returns of this job were met since the session began. */
  seen(jid: string): number {
    return this.#answered.count(jid)
  }

  /** Jids that had new returns since the last call. */
  takeTouched(): Set<string> {
    return this.#answered.takeTouched()
  }

  #revision(row: ReturnRow): number | undefined {
    const key = `${row.jid}|${row.master}|${row.minion}`
    const digest = contentDigest(row)
    const before = this.#revisions.get(key)
    const number = before === undefined ? 1 : before.digest === digest ? before.number : before.number + 1
    this.#revisions.set(key, { digest, number })
    return number > 1 ? number : undefined
  }

  #skipped(): void {
    const text = 'returns: one return is larger than an answer may be; at best the job loop can tell its outcome'
    this.#report({ type: 'advice', source: this.#options.config.name, text })
  }

  /** Every return of one job that is not published yet goes out as `resync`. Returns how many facts that were. */
  async reconcile(run: RunRow): Promise<number> {
    const rows = await this.#returnsOf(run)
    for (const row of rows) this.saw(row)
    const count = await this.tail.accept(rows, 'resync')
    const { oversize } = this.#options.memory
    for (const { hasBody, alterUs } of rows) if (!hasBody && alterUs !== undefined) oversize.told(alterUs)
    return count
  }

  async #returnsOf(run: RunRow): Promise<ReturnRow[]> {
    const { client, hasReturns } = this.#options
    const { jid } = run
    if (hasReturns) {
      let skipped = false
      const page: ReadPage = async (limit, number) =>
        pageOf(await client.call('ret.get_returns', { jid, sort_by: 'minion_id', limit, page: number }))
      const raw = await readAll(
        readingAround(
          page,
          () => [],
          () => {
            skipped = true
            return Promise.resolve()
          },
        ),
        PAGE,
      )
      const rows = this.#parsed(raw, run)
      if (!skipped) return rows
      const known = new Set(rows.map(row => row.minion))
      return [...rows, ...(await this.#details(run)).filter(row => !known.has(row.minion))]
    }
    return this.#details(run, row => row.hasErrors === true || matcherOf(this.#normalise.includeBodyFor)(row.fun))
  }

  /** Light rows by minion; whole ones where `whole` says so. Servers refuse other jids than those of 20 characters. */
  async #details(run: RunRow, whole: (row: ReturnRow) => boolean = () => false): Promise<ReturnRow[]> {
    const { client } = this.#options
    const { jid } = run
    if (jid.length !== JID_LENGTH) return []
    const page: ReadPage = async (limit, number) =>
      pageOf(
        await client.call('cmd.get_cmd_details', { jid, has_return: true, sort_by: 'minion_id', limit, page: number }),
      )
    const light = this.#parsed(await readAll(page, PAGE), run)
    const rows: ReturnRow[] = []
    for (const row of light) {
      if (!whole(row)) {
        rows.push({ ...row, hasBody: false, body: null })
        continue
      }
      try {
        const ret = await client.call('cmd.get_cmd_details', { jid, minion_id_exact: row.minion, limit: 1, page: 0 })
        rows.push(...this.#parsed(pageOf(ret).rows, run))
      } catch (error) {
        if (codeOf(error) !== 'too_large') throw error
        rows.push({ ...row, hasBody: false, body: null })
      }
    }
    return rows
  }

  #parsed(raw: readonly unknown[], run: RunRow): ReturnRow[] {
    return raw.filter(isRow).flatMap(row => {
      const minion = textOf(row['minion_id'] ?? row['minion'] ?? row['id'])
      return minion === null && !isRow(row['full_ret']) ? [] : [readReturn(row, run.jid, run.fun)]
    })
  }

  /** The minions of a job that have not answered. Empty where the server can't be asked. */
  async missing(jid: string): Promise<string[]> {
    const { client } = this.#options
    if (jid.length !== JID_LENGTH) return []
    const page: ReadPage = async (limit, number) =>
      pageOf(
        await client.call('cmd.get_cmd_details', { jid, has_return: false, sort_by: 'minion_id', limit, page: number }),
      )
    try {
      const rows = await readAll(page, PAGE, 1000)
      return rows.filter(isRow).flatMap(row => textOf(row['minion_id'] ?? row['minion']) ?? [])
    } catch (error) {
      if (isRefused(error)) return []
      throw error
    }
  }

  /**
   * The walk ended before its low-water mark: the jobs of that time are asked for their returns. Returns of no job
   * (minions' own schedules, the command line on a master) can't be found so: the gap says that some may be missing.
   */
  async #fill(fromUs: number, toUs: number): Promise<readonly Fact[]> {
    const { client, config, ref, hasRuns } = this.#options
    const from = Number.isFinite(fromUs) ? fromUs : undefined
    let recovered = 0
    if (hasRuns && from !== undefined) {
      const daterange = [isoOfUs(from - config.late_horizon * 1000), isoOfUs(toUs)]
      const page: ReadPage = async (limit, number) =>
        pageOf(
          await client.call('cmd.get_cmds', { daterange, sort_by: 'start_time', reverse: true, limit, page: number }),
        )
      const runs = await readAll(page, PAGE, 5000)
      for (const raw of runs.filter(isRow)) {
        if (textOf(raw['jid']) !== null) recovered += await this.reconcile(readRun(raw))
      }
      if (recovered > 0)
        this.#report({ type: 'feed_recovered', source: config.name, feed: 'returns', count: recovered })
    }
    return [
      gapFact(ref, {
        feed: 'returns',
        classes: [],
        from: from === undefined ? null : isoOfUs(from),
        to: isoOfUs(toUs),
        reason: 'row_limit',
        recovered,
      }),
    ]
  }
}
