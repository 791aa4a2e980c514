/** The likeliest meant word for a mistyped one. */

/** What people write from the guide or from habit, and what it is called here. */
const KNOWN_AS: Readonly<Record<string, string>> = { query_target_filter: 'filter', interval: 'poll_interval' }

const plain = (word: string): string =>
  word
    .replace(/([a-z])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('-', '_')

/** The nearest of `words` by edit distance, or undefined when none is near enough to be meant. */
export function nearest(word: string, words: readonly string[]): string | undefined {
  const wanted = plain(word)
  const known = KNOWN_AS[wanted]
  if (known !== undefined && words.includes(known)) return known
  // Two letters are near to everything of two letters.
  const limit = wanted.length < 3 ? 0 : Math.max(1, Math.floor(Math.min(wanted.length, 12) / 3))
  let best: string | undefined
  let least = limit + 1
  for (const candidate of words) {
    const steps = distance(wanted, plain(candidate))
    if (steps < least) {
      least = steps
      best = candidate
    }
  }
  if (best !== undefined) return best
  // `warning` for `warn` and `subscription_list` for `subscriptions` are too far by letters, but the beginning tells.
  const begins = (long: string, short: string): boolean => short.length >= 4 && long.startsWith(short)
  const parts = words.filter(candidate => begins(wanted, plain(candidate)) || begins(plain(candidate), wanted))
  return parts.length === 1 ? parts[0] : undefined
}

/** Edits between two words; two letters that changed places count as one. */
export function distance(a: string, b: string): number {
  let before: number[] = []
  let previous = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      let cost = Math.min((previous[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (previous[j - 1] ?? 0) + (same ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, (before[j - 2] ?? 0) + 1)
      row.push(cost)
    }
    before = previous
    previous = row
  }
  return previous[b.length] ?? 0
}
