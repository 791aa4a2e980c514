/** `rsp-subtree-include`: the categories and the classes that each brings. */

/** Statistics are named by their interval. */
const STATISTICS = /(?:5min|15min|1h|1d|1w|1mo|1qtr|1year)$/

/**
 * The guide's keywords. Its text also prints `fault`, once in a list and once in an example; the keyword is `faults`
 * (reference/apic.md a9), so that one is a word that nobody knows.
 */
const CATEGORIES: ReadonlyMap<string, readonly string[] | RegExp> = new Map<string, readonly string[] | RegExp>([
  ['audit-logs', ['aaaModLR']],
  ['event-logs', ['eventRecord']],
  ['faults', ['faultInst', 'faultDelegate']],
  ['fault-records', ['faultRecord']],
  ['health', ['healthInst']],
  ['health-records', ['healthRecord']],
  ['relations', /^[a-z0-9]+R[st][A-Z]/],
  ['stats', STATISTICS],
  ['tasks', /Task$/],
])

/** The categories among the words of the option. Words that are none are ignored, as misspelt options are. */
export function categoriesOf(words: Iterable<string>): string[] {
  return [...words].filter(word => CATEGORIES.has(word))
}

export function isInCategory(category: string, className: string): boolean {
  const members = CATEGORIES.get(category)
  if (members === undefined) return false
  return members instanceof RegExp ? members.test(className) : members.includes(className)
}

/** Statistics go past the event manager: subscribing to them is taken, and nothing ever comes (a7; B). */
export function isStatistics(className: string): boolean {
  return STATISTICS.test(className)
}
