/**
 * How much memory V8 takes beyond what is in use. What it thinks fair on a large machine (64 MiB of young objects, an old
 * generation that may quadruple before it is looked through) is a daemon's memory several times over. These are bounds of
 * pace, not of size: who needs more, for tens of thousands of mirrored objects, gets it.
 */
import { PerformanceObserver } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** So large the young generation may grow under load. With less, much of what is only under way is taken for old. */
const YOUNG_BYTES = 16 * 1024 * 1024
/** The old generation is looked through when it has grown by so much since the last time, per cent. */
const OLD_GROWTH = 200

/** To be called first of all: what is loaded at the start lives as long as the process, and needs no young generation. */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${OLD_GROWTH}`)
  letYoungGrow(false)
}

/** From now on the young generation may grow, to its bound: V8 takes a size only at its start, but asks each time whether to grow. */
export function growUnderLoad(): void {
  let mayGrow = true
  letYoungGrow(mayGrow)
  const look = (): void => {
    const young = getHeapSpaceStatistics().find(space => space.space_name === 'new_space')
    const isSmall = (young?.space_size ?? 0) < YOUNG_BYTES
    if (isSmall === mayGrow) return
    // V8 makes it small again when there is little to do.
    mayGrow = isSmall
    letYoungGrow(mayGrow)
  }
  new PerformanceObserver(look).observe({ entryTypes: ['gc'] })
}

function letYoungGrow(allowed: boolean): void {
  setFlagsFromString(`--semi-space-growth-factor=${allowed ? 2 : 1}`)
}
