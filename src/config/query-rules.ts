/** Which options of a question exclude or need each other: what an APIC would ignore without a word (reference/apic.md a9). */
import type { Block } from './rules.ts'

export interface QueryProblem {
  /** The key of the config that is wrong. */
  readonly key: string
  /** A whole phrase without the key, naming what would be right. */
  readonly message: string
}

/** What `rsp-subtree-include` can add to an answer. */
export const CATEGORIES = [
  'audit-logs',
  'event-logs',
  'faults',
  'fault-records',
  'health',
  'health-records',
  'relations',
  'stats',
  'tasks',
] as const

/** What goes with them. The guide does not have `subtree`, the records of all that is below: GUI and clients send it (reference a9). */
export const CATEGORY_OPTIONS = ['count', 'no-scoped', 'required', 'subtree'] as const

/** Operators that people look for and the config does not have, and why. */
export const NO_OPERATOR: ReadonlyMap<string, string> = new Map([
  [
    'pholder',
    'the guide lists it without its grammar, and no client in use has it: only raw sends it, as it is written',
  ],
  [
    'passive',
    'the guide lists it without its grammar, and no client in use has it: only raw sends it, as it is written',
  ],
  ['contains', 'it does not exist: wcard without a * looks for a text anywhere'],
])

/** The guide prints the keyword both as `faults` and as `fault`; `faults` is the one that works (reference a9). */
export function categoryOf(word: string): string {
  return word === 'fault' ? 'faults' : word
}

/**
 * Rules between the options of one question, given by the keys of the config; a key of the wrong type is another rule's.
 * `once`: asked once, without a subscription.
 */
export function combinationProblems(question: Block, once: boolean): QueryProblem[] {
  const problems: QueryProblem[] = []
  const has = (key: string): boolean => question[key] !== undefined
  const { query_target, rsp_subtree } = question
  if (has('target_subtree_class') && (query_target === undefined || query_target === 'self')) {
    const message = 'needs query_target: children or subtree (an APIC ignores it otherwise, without a word)'
    problems.push({ key: 'target_subtree_class', message })
  }
  const include = wordsOf(question['rsp_subtree_include']).map(categoryOf)
  const categories = include.filter(word => (CATEGORIES as readonly string[]).includes(word))
  const hasChildren = rsp_subtree !== undefined && rsp_subtree !== 'no'
  const isNested = hasChildren || categories.length > 0
  for (const key of ['rsp_subtree_class', 'rsp_subtree_filter']) {
    if (!has(key) || isNested) continue
    const message =
      'needs rsp_subtree: children or full, or a category in rsp_subtree_include (nothing is sent along otherwise)'
    problems.push({ key, message })
  }
  const twice = include.find((word, index) => include.indexOf(word) !== index)
  if (twice !== undefined) problems.push({ key: 'rsp_subtree_include', message: `${twice} is there twice` })
  if (categories.length === 0) {
    // Asked once, `count` alone gives the number of objects, which is what many ask it for. Beside rsp_subtree the other
    // two speak of the children: only what has such children, only the children themselves.
    const useful = [...(once ? ['count'] : []), ...(hasChildren ? ['required', 'no-scoped'] : [])]
    const options = include.filter(word => (CATEGORY_OPTIONS as readonly string[]).includes(word))
    const lonely = options.filter(word => !useful.includes(word))
    if (lonely.length > 0) {
      const message = `there is no category for ${lonely.join(' and ')} to narrow: add one of ${CATEGORIES.join(', ')}`
      problems.push({ key: 'rsp_subtree_include', message })
    }
  }
  if (has('page') && !has('page_size')) {
    const message = 'needs page_size: how many objects an APIC puts on a page by itself is not known'
    problems.push({ key: 'page', message })
  }
  return problems
}

function wordsOf(value: unknown): string[] {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value]
  return list.filter(word => typeof word === 'string')
}
