/**
 * Loaded into the daemon before its program (`--import`): keeps, for each acknowledged event, when it was taken down and
 * when that was counted, which is the moment of `opswire_delivery_seconds` before it is put into a bucket. Written into the
 * file that BENCH_ACKS names when the process ends: pairs of wall ms.
 */
import { writeFileSync } from 'node:fs'
import { Tallies } from '../src/ops/tallies.ts'
import { systemClock } from '../src/scheduler/clock.ts'

const file = process.env['BENCH_ACKS'] ?? ''
const pairs: number[] = []
const count = Tallies.prototype.count

Tallies.prototype.count = function (happening): void {
  if (happening.type === 'published' && happening.result === 'ok') {
    const now = systemClock.wall()
    for (const recordedMs of happening.recordedMs) pairs.push(recordedMs, now)
  }
  count.call(this, happening)
}
process.once('exit', () => writeFileSync(file, Float64Array.from(pairs)))
