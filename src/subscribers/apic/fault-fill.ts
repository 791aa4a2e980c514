/**
 * A fault of which only a part was pushed, and which had gone on, or was gone, before the whole of it could be asked for: its log
 * still has it, with its code and its cause.
 */
import type { Core } from './core.ts'
import type { Change } from './decode.ts'
import { faultCodeOf, ownerOf } from './dn.ts'
import { transitionOf } from './fault-history.ts'
import { given, isState, nearest } from './fault-news.ts'
import { filterText } from './filter.ts'
import { stampOf } from './log-pages.ts'
import { queryUrl } from './query.ts'

/** Transitions of one fault that are looked at, the newest first. */
const ROWS = 100

/** The fault as this push, made at `atMs`, left it, whole; undefined when the log does not tell of it. */
export async function wholeByLog(
  core: Pick<Core, 'client' | 'config' | 'signal' | 'tuning'>,
  change: Change,
  atMs: number,
): Promise<Record<string, string> | undefined> {
  const code = faultCodeOf(change.dn)
  if (change.cls !== 'faultInst' || code === undefined) return undefined
  // `affected` is the object that has the fault, or the fault itself (reference d1 leaves it open).
  const affected = [ownerOf(change.dn), change.dn].map(dn => ({ eq: ['faultRecord.affected', dn] as [string, string] }))
  const filter = filterText({
    and: [
      { eq: ['faultRecord.code', code] },
      { or: affected },
      { le: ['faultRecord.created', stampOf(atMs + core.tuning.overlapMs)] },
    ],
  })
  const url = queryUrl({ path: '/api/class/faultRecord', options: [] }, core.config.format, [
    ['query-target-filter', filter],
    ['order-by', 'faultRecord.created|desc'],
    ['page', '0'],
    ['page-size', String(ROWS)],
  ])
  const { objects } = await core.client.get(url, 'fill', core.signal)
  const steps = objects.flatMap(({ attributes }) => {
    const step = transitionOf({ dn: '', createdMs: Date.parse(attributes['created'] ?? ''), attributes })
    return step?.change.dn === change.dn ? [step] : []
  })
  steps.reverse()
  // The record of this very step; else the last one before it, over which the push is laid; else whatever tells of this fault.
  const at = nearest(steps, atMs, one => isState(one, change.attributes))
  const row = steps[at] ?? steps.findLast(step => step.atMs <= atMs) ?? steps[0]
  return row === undefined ? undefined : { ...given(row.change), ...change.attributes }
}
