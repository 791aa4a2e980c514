/** What must not leave the process inside a row: values behind telling names, and bodies nobody asked for. */
import { MASK, maskText } from './mask-text.ts'
import { isRow, type Row } from './rows.ts'

/** Names that always hide a value, whatever the config says. */
const TELLING = /pass(word|wd|phrase)|secret|token|authorization|cookie|credential|private_?key|api_?key|^jwt$/i

/** A flag of a command line that takes a secret as its next word. */
const FLAG = /^--?[\w-]*(pass(word|wd|phrase)|secret|token|credential|private-?key|api-?key)[\w-]*$/i

/**
 * A copy with the values of telling names, and of `names` (any case), masked; objects, arrays and the text of strings
 * and keys are gone through, however deep.
 */
export function redacted(value: unknown, names: readonly string[] = []): unknown {
  const lower = new Set(names.map(name => name.toLowerCase()))
  const walk = (part: unknown): unknown => {
    if (typeof part === 'string') return maskText(part, names)
    if (Array.isArray(part)) {
      return part.map((inner, at) => {
        const before: unknown = part[at - 1]
        return typeof inner === 'string' && typeof before === 'string' && FLAG.test(before) ? MASK : walk(inner)
      })
    }
    if (!isRow(part)) return part
    return Object.fromEntries(
      Object.entries(part).map(([name, inner]) => {
        const hide = TELLING.test(name) || lower.has(name.toLowerCase())
        return [maskText(name, names), hide && inner !== null && inner !== '' ? MASK : walk(inner)]
      }),
    )
  }
  return walk(value)
}

/** A copy without these properties. */
export function without(row: Row, names: readonly string[]): Row {
  return Object.fromEntries(Object.entries(row).filter(([name]) => !names.includes(name)))
}

const compiled = new WeakMap<readonly string[], RegExp>()

/** True when a name matches one of the shell patterns (`*`, `?`, `[…]`); compiled once for each list. */
export function matcherOf(patterns: readonly string[]): (name: string) => boolean {
  let found = compiled.get(patterns)
  if (found === undefined) {
    found = new RegExp(patterns.length === 0 ? '(?!)' : patterns.map(one => patternOf(one).source).join('|'))
    compiled.set(patterns, found)
  }
  const expression = found
  return name => expression.test(name)
}

function patternOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.+^${}()|\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.')
    .replace(/\[!/g, '[^')
  try {
    return new RegExp(`^${source}$`)
  } catch {
    // An unclosed bracket means itself.
    return new RegExp(`^${source.replaceAll('[', '\\[').replaceAll(']', '\\]')}$`)
  }
}
