/**
 * A question that is too long for one request, cut into several whose answers together are the answer: lists of classes
 * and the alternatives of an `or` are dealt out. Every part is a question of its own, named by what it asks.
 */
import type { FilterExpression } from '../../config/query.ts'
import { expressionsOf, filterText, partsOf } from './filter.ts'
import type { Plan, Purpose } from './plan.ts'
import { configKey } from './raw-query.ts'
import { shown, unaskable } from './unaskable.ts'
import { LONGEST_LINE, lineBytes, queryUrl, RESERVED } from './url.ts'
import { commas } from './yields.ts'

/** A value that can be dealt out: its pieces, and the value that some of them make. */
interface Divisible {
  readonly name: string
  readonly pieces: readonly string[]
  readonly whole: string
  readonly of: (pieces: readonly string[]) => string
}

/** More requests than this for one question are a mistake. */
const MOST_PARTS = 64
const LIMIT = LONGEST_LINE - RESERVED

/** The question in one part, mostly; every part is short enough for a request. Throws `Unaskable` (config) where that can't be. */
export function partsOfPlan(plan: Plan, purpose: Purpose): readonly Plan[] {
  const length = bytesOf(plan)
  if (length <= LIMIT) return [plan]
  const lists = divisibles(plan)
  const refused = whyNot(plan, purpose)
  if (lists.length === 0 || refused !== undefined) {
    throw unaskable(
      keyOf(plan),
      `is too long for one request (${length} bytes of ${LIMIT}), and ${refused ?? UNDIVIDED}`,
    )
  }
  const fixed =
    bytesOf({ ...plan, options: without(plan, lists) }) + lists.reduce((sum, { name }) => sum + name.length + 2, 0)
  const budgets = share(LIMIT - fixed, lists)
  let parts: Plan[] = [plan]
  for (const [index, list] of lists.entries()) {
    const values = dealt(list, budgets[index] ?? 0)
    parts = parts.flatMap(part =>
      values.map(value => ({ ...part, options: new Map(part.options).set(list.name, value) })),
    )
    if (parts.length > MOST_PARTS) {
      throw unaskable(keyOf(plan), `would take more than ${MOST_PARTS} requests: ask for less, or for a whole class`)
    }
  }
  return parts
}

const UNDIVIDED = 'neither a DN nor a single condition can be divided: only lists of classes and the arguments of an or'

/** What would come out wrong if it were put together from parts. */
function whyNot({ options }: Plan, purpose: Purpose): string | undefined {
  if (commas(options.get('rsp-subtree-include') ?? '').includes('count'))
    return 'counts of parts are no count of the whole'
  if (purpose === 'ask' && options.has('page')) {
    return 'a page of each part is no page of the whole'
  }
  return undefined
}

function bytesOf({ target, options }: Plan): number {
  return lineBytes(queryUrl({ path: `/api/${target.path}`, options: [...options] }, 'json'))
}

function without(plan: Plan, lists: readonly Divisible[]): ReadonlyMap<string, string> {
  return new Map([...plan.options].filter(([name]) => !lists.some(list => list.name === name)))
}

/** Bytes of a value in a URL, without its name. */
function valueBytes(value: string): number {
  return queryUrl({ path: '', options: [['', value]] }, 'json').length - '.json?='.length
}

function divisibles(plan: Plan): Divisible[] {
  const found: Divisible[] = []
  for (const name of ['target-subtree-class', 'rsp-subtree-class']) {
    const whole = plan.options.get(name)
    if (whole === undefined) continue
    const pieces = [...new Set(commas(whole))]
    if (pieces.length > 1) found.push({ name, whole, pieces, of: some => some.join(',') })
  }
  for (const [name, filter] of plan.sent) {
    const alternatives = alternativesOf(filter)
    const whole = plan.options.get(name)
    if (alternatives === undefined || whole === undefined) continue
    found.push({ name, whole, ...alternatives })
  }
  return found
}

/** Of `or(a,b,…)`: what makes the filter of some of them. Of `and(x,or(a,b,…))` as well: `and(x,or(a,b))`. */
function alternativesOf(filter: FilterExpression): Pick<Divisible, 'pieces' | 'of'> | undefined {
  const [operator, operands] = partsOf(filter)
  const inner = expressionsOf(operands)
  if (operator === 'or') {
    const pieces = [...new Set(flat(inner).map(one => filterText(one)))]
    return pieces.length < 2
      ? undefined
      : { pieces, of: some => (some.length === 1 ? (some[0] ?? '') : `or(${some.join(',')})`) }
  }
  if (operator !== 'and') return undefined
  const candidates = inner.flatMap((one, index) => {
    const alternatives = alternativesOf(one)
    return alternatives === undefined ? [] : [{ index, alternatives }]
  })
  const longest = candidates.toSorted((a, b) => sizeOf(b.alternatives) - sizeOf(a.alternatives))[0]
  if (longest === undefined) return undefined
  const { index, alternatives } = longest
  const texts = inner.map(one => filterText(one))
  const of = (some: readonly string[]): string => `and(${texts.with(index, alternatives.of(some)).join(',')})`
  return { pieces: alternatives.pieces, of }
}

function flat(expressions: readonly FilterExpression[]): FilterExpression[] {
  return expressions.flatMap(one => {
    const [operator, operands] = partsOf(one)
    return operator === 'or' ? flat(expressionsOf(operands)) : [one]
  })
}

function sizeOf({ pieces }: Pick<Divisible, 'pieces'>): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0)
}

/** What each value may take of `bytes`: the short ones what they need, the others the same. */
function share(bytes: number, lists: readonly Divisible[]): number[] {
  const budgets = new Map<Divisible, number>()
  let left = bytes
  const byLength = lists.toSorted((a, b) => valueBytes(a.whole) - valueBytes(b.whole))
  for (const [index, list] of byLength.entries()) {
    const fair = Math.floor(left / (byLength.length - index))
    const budget = Math.min(fair, valueBytes(list.whole))
    budgets.set(list, budget)
    left -= budget
  }
  return lists.map(list => budgets.get(list) ?? 0)
}

/** The values, each of as many pieces as fit: in their order, so that a longer list leaves its first parts as they were. */
function dealt(list: Divisible, budget: number): string[] {
  const values: string[] = []
  let taken: string[] = []
  const full = (pieces: readonly string[]): boolean => valueBytes(list.of(pieces)) > budget
  for (const piece of list.pieces) {
    if (full([piece])) {
      throw unaskable(
        configKey(list.name),
        `${shown(piece)} alone is too long for a request with the rest of the question`,
      )
    }
    if (full([...taken, piece])) {
      values.push(list.of(taken))
      taken = []
    }
    taken.push(piece)
  }
  values.push(list.of(taken))
  return values
}

/** The key whose value is longest. */
function keyOf({ target, options }: Plan): string {
  const [longest] = [...options].toSorted(([, a], [, b]) => b.length - a.length)
  if (longest === undefined || target.path.length > longest[1].length)
    return target.kind === 'tags-of' ? 'raw' : target.kind
  return configKey(longest[0])
}
