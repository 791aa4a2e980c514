/** `opswire query` to an APIC: the guide's questions, typed or as the guide prints them; whole, however long the answer. */
import { nearest } from '../config/nearest.ts'
import type { ApicConfig } from '../config/sources.ts'
import { Retryable } from '../errors.ts'
import { askAll, countOf, isMixed } from '../subscribers/apic/ask-pages.ts'
import { Refused } from '../subscribers/apic/client.ts'
import type { ApicObject } from '../subscribers/apic/decode.ts'
import { redact } from '../subscribers/apic/redact.ts'
import { askDomains, Visit } from '../subscribers/apic/visit.ts'
import { type ApicAsk, apicAsk } from './apic-ask.ts'
import { columnsFor, USUAL_CLASSES } from './apic-columns.ts'
import { UsageError } from './io.ts'
import type { Asking, Question } from './query.ts'
import type { Row, Rows } from './rows.ts'

/** Checks the question. Throws `UsageError`. */
export function apicQuestion(config: ApicConfig, asking: Asking): Question {
  const ask = apicAsk(config, asking.words, asking.given)
  for (const text of ask.notes) asking.note(text)
  return async () => {
    const { clock, report, signal } = asking
    const mixed = ask.kind === 'ask' && ask.queries.some(isMixed)
    const rows = asking.rows(first => columnsFor(first, mixed), Number.POSITIVE_INFINITY)
    const options = { config, clock, report, signal }
    if (ask.kind === 'domains') {
      const domains = (await askDomains(options, ask.format)).objects
      if (asking.given.has('count')) return rows.say([String(domains.length)])
      // The one answer without a class around each object (guide).
      await rows.print(
        domains
          .slice(0, asking.most)
          .map(({ cls, attributes }) => ({ json: attributes, cells: { class: cls, ...attributes } })),
      )
      return rows.total(said(rows.shown, domains.length))
    }
    const visit = new Visit(options)
    try {
      await visit.open()
      await answer(visit, ask, rows, asking)
    } catch (error) {
      throw isWrong(error) ? new UsageError(`${config.name}: ${error.message}${classHint(ask)}`, 'query') : error
    } finally {
      await visit.close()
    }
  }
}

/** The controller finds the question itself wrong: a class or property that its release lacks, a filter that makes no sense. */
function isWrong(error: unknown): error is Refused {
  return error instanceof Refused && error.code === 'protocol' && error.status === 400
}

function classHint({ queries }: Extract<ApicAsk, { kind: 'ask' }>): string {
  const cls = /^\/api\/(?:node\/)?class\/(?:.*\/)?(\w+)$/.exec(queries[0]?.path ?? '')?.[1] ?? ''
  const guess = USUAL_CLASSES.includes(cls) ? undefined : nearest(cls, USUAL_CLASSES)
  return guess === undefined ? '' : `; did you mean ${guess}?`
}

async function answer(visit: Visit, ask: Extract<ApicAsk, { kind: 'ask' }>, rows: Rows, asking: Asking): Promise<void> {
  const { format, queries, page } = ask
  const get = visit.get.bind(visit)
  if (page !== undefined) {
    const { objects, totalCount } = await visit.get(page)
    return tell(rows, asking, objects, totalCount)
  }
  const pageSize = Math.min(ask.pageSize, asking.most)
  let missing: Retryable | undefined
  const onMissing = (count: number, of: number): void => {
    const why = 'others came and went while they were read; ask again'
    missing = new Retryable('protocol', `${count} of ${of} objects did not show: ${why}`)
  }
  const options = { get, format, pageSize, nowMs: asking.clock.wall(), onMissing }
  if (asking.given.has('count')) return rows.say([String(await countOf(queries, options))])
  let shown = 0
  let total: number | undefined
  for await (const found of askAll(queries, options)) {
    const wanted = found.objects.slice(0, asking.most - shown)
    total = found.total
    shown += wanted.length
    await rows.print(wanted.flatMap(object => rowsOf(object, asking.given.has('json'))))
    if (shown >= asking.most) break
    rows.progress(`${shown} of ${total ?? '?'} objects …`)
  }
  // Several queries, or several classes of one, are counted each for itself.
  const counted = total === undefined || shown > total || (queries.length > 1 && shown < asking.most) ? shown : total
  await rows.total(said(shown, counted))
  if (missing !== undefined && shown < asking.most) throw missing
}

async function tell(
  rows: Rows,
  asking: Asking,
  objects: readonly ApicObject[],
  total: number | undefined,
): Promise<void> {
  if (asking.given.has('count')) return rows.say([String(total ?? objects.length)])
  const wanted = objects.slice(0, asking.most)
  await rows.print(wanted.flatMap(object => rowsOf(object, asking.given.has('json'))))
  await rows.total(said(wanted.length, total ?? wanted.length))
}

/** An object, and below it in a table the ones that came inside it. */
function rowsOf(object: ApicObject, json: boolean, depth = 0, parent = ''): Row[] {
  const attributes = redact(object.cls, object.attributes)
  const { dn = '', rn = '' } = attributes
  // What is nested may say only its relative name.
  const place = dn !== '' || parent === '' || rn === '' ? dn : `${parent}/${rn}`
  const cells = { class: object.cls, ...attributes, ...(place === '' ? {} : { dn: place }) }
  const row: Row = { json: json ? plainOf(object) : undefined, cells, depth }
  return json ? [row] : [row, ...object.children.flatMap(child => rowsOf(child, json, depth + 1, place))]
}

/** As the controller gives it, without secrets: `{"fvTenant":{"attributes":{…},"children":[…]}}`. */
function plainOf({ cls, attributes, children }: ApicObject): object {
  const below = children.length === 0 ? {} : { children: children.map(plainOf) }
  return { [cls]: { attributes: redact(cls, attributes), ...below } }
}

function said(shown: number, total: number): string {
  const objects = total === 1 ? 'object' : 'objects'
  return shown === total ? `${shown} ${objects}` : `${shown} of ${total} ${objects}`
}
