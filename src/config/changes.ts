/** What differs between two configs: which keys, which sources, and what of it a running daemon can't take up. */
import { type Path, placesAt, spell } from './outline.ts'
import type { Config } from './schema.ts'
import { Secret } from './secret.ts'
import type { SourceConfig } from './sources.ts'

export interface ConfigChanges {
  /** Keys that differ and that only a restart can change, as they are written: `nats.servers`. */
  readonly needRestart: readonly string[]
  /** Other keys outside of the sources that differ. */
  readonly settings: readonly string[]
  readonly added: readonly SourceConfig[]
  readonly removed: readonly SourceConfig[]
  readonly changed: readonly { readonly before: SourceConfig; readonly after: SourceConfig }[]
}

/**
 * Holds `after` against `before`, the config that is in force. Sources go by name, their order does not matter. A secret
 * has changed when it is named differently; what lies behind the name is read again at each login anyway.
 */
export function changesOf(before: Config, after: Config): ConfigChanges {
  const { sources: old, ...restBefore } = before
  const { sources: fresh, ...restAfter } = after
  const paths = differences(restBefore, restAfter)
  const isFixed = (path: Path): boolean => needsRestart(path)
  const named = (wanted: boolean): string[] => [...new Set(paths.filter(path => isFixed(path) === wanted).map(spell))]
  return {
    needRestart: named(true),
    settings: named(false),
    added: fresh.filter(source => !old.some(other => other.name === source.name)),
    removed: old.filter(source => !fresh.some(other => other.name === source.name)),
    changed: fresh.flatMap(source => {
      const other = old.find(one => one.name === source.name)
      return other === undefined || same(other, source) ? [] : [{ before: other, after: source }]
    }),
  }
}

/** The keys in which two versions of a source differ, as they are written in its block. */
export function changedKeys(before: SourceConfig, after: SourceConfig): string[] {
  return [...new Set(differences(before, after).map(spell))]
}

/** The nearest mark on the way down counts: a key of a block can be exempt from what is said of the block. */
export function needsRestart(path: Path): boolean {
  for (let end = path.length; end > 0; end--) {
    const key = path[end - 1] ?? ''
    // Asked of the block: what stands for a key that may be null is a choice, and the mark is on the choice.
    const marks = placesAt(path.slice(0, end - 1), undefined).map(block => block.properties?.[key]?.['x-needs-restart'])
    const mark = marks.find(one => one !== undefined)
    if (mark !== undefined) return mark !== false
  }
  return false
}

/** Paths of what differs: blocks are gone through, lists and all else count as one. */
function differences(before: unknown, after: unknown, path: Path = []): Path[] {
  if (same(before, after)) return []
  if (!isBlock(before) || !isBlock(after)) return [path]
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
  const isTold = (key: string): boolean =>
    // A secret stands beside the key that names it.
    [before[key], after[key]].some(value => value instanceof Secret) &&
    ['file', 'credential', 'env'].some(way => before[`${key}_${way}`] !== after[`${key}_${way}`])
  return keys.flatMap(key => (isTold(key) ? [] : differences(before[key], after[key], [...path, key])))
}

function same(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (one instanceof Secret || other instanceof Secret) {
    return one instanceof Secret && other instanceof Secret && one.isSameAs(other)
  }
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const [left, right] = [one as Record<string, unknown>, other as Record<string, unknown>]
  return [...new Set([...Object.keys(left), ...Object.keys(right)])].every(key => same(left[key], right[key]))
}

function isBlock(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Secret)
}
