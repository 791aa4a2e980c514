/** The whole answer to a question, however large: page after page, each object once. */
import { codeOf } from '../../errors.ts'
import { inSpans } from './ask-log.ts'
import { isLogClass } from './classes.ts'
import { Refused } from './client.ts'
import type { ApicAnswer, ApicObject } from './decode.ts'
import { joinAnswers } from './join.ts'
import { aimedAt, type Query, queryUrl } from './query.ts'
import { commas } from './yields.ts'

type Options = readonly (readonly [string, string])[]

export interface AskedPage {
  /** What no page before had. */
  readonly objects: readonly ApicObject[]
  /** All that match, as the controller counted them last; undefined when the release doesn't say. */
  readonly total: number | undefined
}

export interface AskOptions {
  readonly get: (url: string) => Promise<ApicAnswer>
  readonly format: 'json' | 'xml'
  readonly pageSize: number
  /** About what time it is, ms since the epoch: where the first span of a large log begins. */
  readonly nowMs: number
  /** Matching objects that never showed, because others moved while the pages were read. */
  readonly onMissing: (count: number, of: number) => void
}

/** Readings of one question: each page is a fresh query, so what moves between two of them is met by the next reading. */
const READINGS = 5
/** A page that is still too large for the controller at this size won't get through. */
const LEAST_ON_A_PAGE = 8
/** Records are small and have nothing below them: if so few are too many, all that match are counted. */
const LEAST_OF_A_LOG = 250

/**
 * Asks for every page of the queries, one after the other. The controller answers each page from a query of its own, so
 * rows shift when objects come and go (guide: result paging): what was seen is not given again, and while less was seen
 * than is counted the pages are read again. Sorted by dn where one class is asked for, logs by time, the newest first. An
 * answer over the controller's ceiling is asked for in smaller pages, a log in spans of time. Rejects like `get`.
 */
export async function* askAll(queries: readonly Query[], options: AskOptions): AsyncGenerator<AskedPage, void> {
  if (mustJoin(queries)) {
    const answers: ApicObject[][] = []
    for (const query of queries) {
      const answer: ApicObject[] = []
      for await (const { objects } of askOne(query, options, new Set())) answer.push(...objects)
      answers.push(answer)
    }
    const objects = joinAnswers(queries, answers)
    return yield { objects, total: objects.length }
  }
  const seen = new Set<string>()
  for (const query of queries) yield* askOne(query, options, seen)
}

/** What hangs below an object comes in several answers, or all of them together have an order. */
function mustJoin([first, ...more]: readonly Query[]): boolean {
  if (first === undefined || more.length === 0) return false
  const own = new Map(first.options)
  if (own.has('order-by')) return true
  const below = ['rsp-subtree-class', 'rsp-subtree-filter']
  return below.some(name => more.some(query => new Map(query.options).get(name) !== own.get(name)))
}

/** How many objects match all of the queries together, by the controller's own count where that is enough. */
export async function countOf(queries: readonly Query[], options: AskOptions): Promise<number> {
  const [query, other] = queries
  if (query !== undefined && other === undefined) {
    const answer = await (isSmall(query) ? wholeOf(query, options) : firstOf(query, options))
    // What was asked for as a count comes as one object that tells it.
    const told = answer?.objects.filter(({ cls }) => cls === 'moCount') ?? []
    if (told.length > 0) return told.reduce((sum, { attributes }) => sum + Number(attributes['count'] ?? 0), 0)
    if (answer?.totalCount !== undefined) return answer.totalCount
  }
  let count = 0
  for await (const { objects } of askAll(queries, options)) count += objects.length
  return count
}

/** One object, for the count beside it; undefined where even that is too large to ask for. */
async function firstOf(query: Query, options: AskOptions): Promise<ApicAnswer | undefined> {
  try {
    return await pageOf(query, options, 0, 1)
  } catch (error) {
    if (codeOf(error) === 'too_large') return undefined
    throw error
  }
}

/** True when objects of several classes may come. */
export function isMixed(query: Query): boolean {
  const scope = new Map(query.options).get('query-target') ?? 'self'
  return query.path.startsWith('/api/tag/') || (scope !== 'self' && aimedAt(query).length !== 1)
}

/** Marks what was not seen before, by any query. */
type Fresh = (answer: ApicAnswer) => AskedPage & {
  /** Objects that this query had not shown before. */
  readonly met: number
}

async function* askOne(query: Query, options: AskOptions, seen: Set<string>): AsyncGenerator<AskedPage, void> {
  if (isSmall(query)) {
    const answer = await wholeOf(query, options)
    if (answer !== undefined) return yield freshOf(seen)(answer)
  }
  const parts = partsOf(query)
  if (parts.length > 1) {
    const first = await pageOf(query, options, 0, options.pageSize)
    if (first !== undefined && first.objects.length < options.pageSize) return yield freshOf(seen)(first)
    // Only one class at a time can be sorted.
    for (const part of parts) yield* askOne(part, options, seen)
    return
  }
  const log = logOf(query)
  if (log === undefined) yield* readings(query, options, freshOf(seen))
  else yield* inSpans(log, options.nowMs, narrowing => readings(query, options, freshOf(seen), narrowing))
}

function freshOf(seen: Set<string>): Fresh {
  // What was shown before is not given again, but counts as found here.
  const own = new Set<string>()
  return ({ objects, totalCount }) => {
    let met = 0
    const news = objects.filter(({ attributes: { dn } }) => {
      if (dn === undefined || dn === '') {
        met++
        return true
      }
      if (!own.has(dn)) met++
      own.add(dn)
      if (seen.has(dn)) return false
      seen.add(dn)
      return true
    })
    return { objects: news, total: totalCount, met }
  }
}

async function* readings(
  query: Query,
  options: AskOptions,
  fresh: Fresh,
  narrowing: Options = [],
): AsyncGenerator<AskedPage, void> {
  let order = orderOf(query)
  let size = options.pageSize
  let got = 0
  let total: number | undefined
  for (let reading = 0; reading < READINGS; reading++) {
    const before = got
    for (let page = 0; ; page++) {
      let answer: ApicAnswer | undefined
      try {
        answer = await pageOf(query, options, page, size, [...narrowing, ...order])
      } catch (error) {
        // Ours, not the user's: what can't be sorted is read as it comes.
        if (!(error instanceof Refused) || error.code !== 'protocol' || order.length === 0 || page > 0) throw error
        order = []
        answer = await pageOf(query, options, page, size, narrowing)
      }
      if (answer === undefined) {
        // Page numbers of another size mean other objects.
        size = Math.ceil(size / 2)
        page = -1
        continue
      }
      const given = fresh(answer)
      got += given.met
      total = given.total
      yield given
      // A release that does not page such a question gives the same answer for ever.
      if (answer.objects.length < size || (page > 0 && given.met === 0 && total === undefined)) break
      if (total !== undefined && (page + 1) * size >= total) break
    }
    if (total === undefined || got >= total || !isCounted(query)) return
    if (got === before && reading > 0) break
  }
  if (total !== undefined && got < total) options.onMissing(total - got, total)
}

/** The count is that of the rows; what it is where records are sent along, or decide (`required`), nobody documents. */
function isCounted({ options }: Query): boolean {
  return !new Map(options).has('rsp-subtree-include')
}

/** One page; undefined when the controller finds it too large and it can be made smaller. */
async function pageOf(
  query: Query,
  { get, format }: AskOptions,
  page: number,
  size: number,
  extra: Options = [],
): Promise<ApicAnswer | undefined> {
  const paging = [['page', String(page)] as const, ['page-size', String(size)] as const]
  try {
    return await get(queryUrl(query, format, [...extra, ...paging]))
  } catch (error) {
    const least = logOf(query) === undefined ? LEAST_ON_A_PAGE : LEAST_OF_A_LOG
    if (codeOf(error) !== 'too_large' || size <= least) throw error
    return undefined
  }
}

/** The answer to the question as it stands; undefined when it is too large for one. */
async function wholeOf(query: Query, { get, format }: AskOptions): Promise<ApicAnswer | undefined> {
  try {
    return await get(queryUrl(query, format))
  } catch (error) {
    if (codeOf(error) === 'too_large') return undefined
    throw error
  }
}

/** One object, a count, or what carries a tag: asked for as the guide does, without paging. */
function isSmall({ path, options }: Query): boolean {
  const all = new Map(options)
  if (includes(all, 'count')) return true
  if (path.startsWith('/api/tag/')) return true
  return /^\/api\/(node\/)?mo\//.test(path) && (all.get('query-target') ?? 'self') === 'self'
}

/** A question for each class of a list; the question itself when there is one class, or an order that was asked for. */
function partsOf(query: Query): Query[] {
  const classes = aimedAt(query)
  if (classes.length < 2 || new Map(query.options).has('order-by')) return [query]
  return classes.map(cls => ({
    ...query,
    options: query.options.map(([name, value]) => [name, name === 'target-subtree-class' ? cls : value] as const),
  }))
}

/** The log class that is asked for in our own order, all of it or what a filter leaves. */
function logOf(query: Query): string | undefined {
  const options = new Map(query.options)
  const [cls, other] = aimedAt(query)
  const isOurs = !options.has('order-by') && !options.has('time-range')
  return cls !== undefined && other === undefined && isOurs && isLogClass(cls) ? cls : undefined
}

function orderOf(query: Query): Options {
  const options = new Map(query.options)
  const [cls, other] = aimedAt(query)
  // Without their objects around them, the records come back alone, of another class.
  if (options.has('order-by') || cls === undefined || other !== undefined || includes(options, 'no-scoped')) return []
  return [['order-by', isLogClass(cls) ? `${cls}.created|desc,${cls}.dn|asc` : `${cls}.dn|asc`]]
}

function includes(options: ReadonlyMap<string, string>, word: string): boolean {
  return commas(options.get('rsp-subtree-include') ?? '').includes(word)
}
