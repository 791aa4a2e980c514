/** Reading the audit trail page by page: the query, the page size that the cell takes, and rows that can't be read. */
import { codeOf, describe, Fatal, Poison, Retryable } from '../../errors.ts'
import type { DeadLetter } from '../../record.ts'
import type { HttpAnswer } from '../http.ts'
import type { VcdApi } from './api.ts'
import type { PageSize } from './page-size.ts'
import { type AuditRow, isObject, readRow } from './row.ts'

/** How often a millisecond is read when its rows keep changing places between the pages. */
const TIE_READS = 24

export interface AuditPage {
  readonly rows: readonly AuditRow[]
  /** Rows that have no id or no time. */
  readonly dead: readonly DeadLetter[]
  /** More rows follow behind this page. */
  readonly more: boolean
  readonly total: number | undefined
  /** The cell's time when this page was asked for. */
  readonly askedAtMs: number
}

export interface Span {
  readonly fromMs: number
  /** Exclusive. */
  readonly untilMs?: number | undefined
  /** More of the cell's filter language, in force beside the times. Values with blanks or `+` must be percent-encoded. */
  readonly filter?: string | undefined
}

/** The rows of one millisecond; `missing` of them never showed although the cell counts them (0 where it doesn't). */
export interface Millisecond {
  readonly rows: readonly AuditRow[]
  readonly dead: readonly DeadLetter[]
  readonly missing: number
}

/** What stays between two sessions of one source, in memory only. */
export interface PagesMemory {
  readonly pageSize: PageSize
}

/** The literal must have exactly three decimals and a zone: `toISOString()` has. */
function filterOf({ fromMs, untilMs, filter }: Span): string {
  const parts = [`timestamp=ge=${new Date(fromMs).toISOString()}`]
  // Never `==`: the database may keep microseconds that the wire does not show.
  if (untilMs !== undefined) parts.push(`timestamp=lt=${new Date(untilMs).toISOString()}`)
  if (filter !== undefined) parts.push(`(${filter})`)
  const query = `filter=${encodeURIComponent(`(${parts.join(';')})`)}`
  return filter?.includes('%') === true ? `filterEncoded=true&${query}` : query
}

export class Pages {
  readonly #api: VcdApi
  readonly #memory: PagesMemory

  constructor(api: VcdApi, memory: PagesMemory) {
    this.#api = api
    this.#memory = memory
  }

  /** One page of a span, in time order. Throws `Retryable`, or `Fatal` when the role or the URL can't work. */
  async page(span: Span, page = 1, descending = false): Promise<AuditPage> {
    const { pageSize } = this.#memory
    // A first page carries no number over, so that is where the size may change.
    if (page === 1) pageSize.grow()
    for (;;) {
      const size = pageSize.current
      const answer = await this.#ask(
        `${filterOf(span)}&${descending ? 'sortDesc' : 'sortAsc'}=timestamp&page=${page}`,
        size,
      )
      if (answer.ok) {
        const read = this.#read(answer, page, size)
        pageSize.good()
        return read
      }
      if (answer.status === 400 && pageSize.refused()) {
        // Page numbers of another size mean other rows.
        if (page > 1) throw new Retryable('protocol', `the cell refused pageSize ${size} on page ${page}`)
        continue
      }
      pageSize.reset()
      throw refused(answer, span.filter)
    }
  }

  /** How many rows of a span the cell counts; undefined where it doesn't say. */
  async count(span: Span): Promise<number | undefined> {
    const answer = await this.#ask(`${filterOf(span)}&sortAsc=timestamp&page=1`, 1)
    if (!answer.ok) throw refused(answer)
    return this.#read(answer, 1, 1).total
  }

  /**
   * A span from end to end, each page going on at the last row's time, so that nothing is skipped when rows come in or are
   * purged meanwhile; rows come again where pages touch. A millisecond of more rows than a page is read out by itself.
   * `pause` is awaited before each page but the first.
   */
  async *through(span: Span, pause: () => Promise<void>, descending = false): AsyncGenerator<Millisecond, void> {
    let { fromMs, untilMs } = span
    for (let number = 1; ; ) {
      const page = await this.page({ ...span, fromMs, untilMs }, number, descending)
      yield { ...page, missing: 0 }
      if (!page.more) return
      await pause()
      const [first, last] = [page.rows[0]?.timeMs, page.rows.at(-1)?.timeMs]
      if (last === undefined) {
        number++
        continue
      }
      const oneStamp = first === last
      if (oneStamp) yield await this.millisecond(last, span.filter)
      if (descending) untilMs = oneStamp ? last : last + 1
      else fromMs = oneStamp ? last + 1 : last
      number = 1
    }
  }

  /** Time of the oldest row that can still be asked for, by its own stamp; undefined when there is none at all. */
  async oldestMs(): Promise<number | undefined> {
    const answer = await this.#ask('sortAsc=timestamp&page=1', 1)
    if (!answer.ok) throw refused(answer)
    return this.#read(answer, 1, 1).rows[0]?.timeMs
  }

  /**
   * All rows of one millisecond, however many pages they fill. Their order may differ from request to request, so pages
   * of one reading may repeat and skip rows: it is read again, from either end, until as many were seen as are counted,
   * or, where the cell counts nothing, until a reading from each end has shown nothing new.
   */
  async millisecond(ms: number, filter?: string): Promise<Millisecond> {
    const rows = new Map<string, AuditRow>()
    const dead = new Map<string, DeadLetter>()
    let missing = 0
    /** Readings in a row that showed nothing new. */
    let stale = 0
    for (let reading = 0; reading < TIE_READS; reading++) {
      const known = rows.size + dead.size
      const met = new Set<string>()
      let counted = true
      for (let page = 1; ; page++) {
        const got = await this.page({ fromMs: ms, untilMs: ms + 1, filter }, page, reading % 2 === 1)
        const before = met.size
        for (const row of got.rows) {
          rows.set(row.id, row)
          met.add(row.id)
        }
        for (const letter of got.dead) {
          dead.set(letter.content, letter)
          met.add(letter.content)
        }
        // One page that holds them all is as good as a count.
        counted = got.total !== undefined || (page === 1 && !got.more)
        missing = Math.max(0, (got.total ?? 0) - rows.size - dead.size)
        if (!got.more || (counted && missing === 0)) break
        // Without a count only this ends the reading of a cell that answers every page number with the same page.
        if (!counted && met.size === before) break
      }
      if (counted && missing === 0) break
      stale = rows.size + dead.size > known ? 0 : stale + 1
      if (!counted && stale === 2) break
    }
    return { rows: [...rows.values()], dead: [...dead.values()], missing }
  }

  async #ask(query: string, size: number): Promise<HttpAnswer> {
    try {
      return await this.#api.get(`/cloudapi/1.0.0/auditTrail?${query}&pageSize=${size}`, 'audit')
    } catch (error) {
      // A page that is too slow or too big is asked for smaller next time.
      if (size === this.#memory.pageSize.current && /^(timeout|too_large)$/.test(codeOf(error))) {
        this.#memory.pageSize.slow()
      }
      throw error
    }
  }

  #read(answer: HttpAnswer, page: number, size: number): AuditPage {
    const body = answer.json()
    const values = isObject(body) ? body['values'] : undefined
    if (!isObject(body) || !Array.isArray(values)) {
      throw new Retryable('protocol', 'auditTrail answered JSON without a list of values')
    }
    const rows: AuditRow[] = []
    const dead: DeadLetter[] = []
    for (const value of values as unknown[]) {
      try {
        rows.push(readRow(value))
      } catch (error) {
        if (!(error instanceof Poison)) throw error
        dead.push({ reason: describe(error), content: JSON.stringify(value) })
      }
    }
    const total = typeof body['resultTotal'] === 'number' ? body['resultTotal'] : undefined
    const more = total === undefined ? values.length >= size : (page - 1) * size + values.length < total
    return { rows, dead, more: more && values.length > 0, total, askedAtMs: this.#api.askedAtMs }
  }
}

/** What the cell says of a filter that a person wrote; the request's id stands in brackets before it. */
function saidOf(answer: HttpAnswer): string {
  try {
    const { message } = JSON.parse(answer.text) as { message?: unknown }
    return typeof message === 'string' ? `: ${message.replace(/^\[[^\]]*\]\s*/, '').slice(0, 200)}` : ''
  } catch {
    return ''
  }
}

function refused(answer: HttpAnswer, filter?: string): Error {
  if (answer.status === 400 && filter !== undefined) {
    return new Fatal('config', `auditTrail refused the filter ${filter}${saidOf(answer)}`)
  }
  if (answer.status === 403) {
    return new Fatal('permission', "auditTrail answered HTTP 403: the API token's role may not read the audit trail")
  }
  if (answer.status === 404) {
    return new Fatal('config', 'auditTrail answered HTTP 404: url does not lead to a VMware Cloud Director')
  }
  return new Retryable('protocol', `auditTrail answered HTTP ${answer.status}`)
}
