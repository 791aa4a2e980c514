/**
 * Memory that is not needed and was not given back: dead objects that V8 has no hurry to collect when nothing is allocated any
 * more, the buffers that hang on them, and what glibc keeps of freed memory for the next flood. Together 100 MiB and more.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { nativeCalls } from './native-calls.ts'
import type { Cancel, Clock } from './scheduler/clock.ts'

const LOOK_MS = 2000
const EVERY_MS = 10_000
/** Parts of that time in which the event loop had work. */
const BUSY = 0.3
const CALM = 0.1
/** A larger heap is left to V8: to collect it at once would hold up the loop for half a second and more. */
const MOST_BYTES = 192 * 1024 * 1024

/** Part of the time since the call before in which the event loop had work. */
export type Utilization = () => number

/**
 * Looks every two seconds, and when it has become calm after work, collects and gives back, at most every ten seconds. That takes
 * a tenth of a second, when hardly anybody waits for it.
 */
export function giveBackWhenCalm(
  clock: Clock,
  utilization: Utilization = eventLoop(),
  giveBack: () => void = byCollectingAndTrimming(),
): Cancel {
  let hasWorked = false
  let notBefore = clock.now()
  let cancel: Cancel = () => undefined
  const look = (): void => {
    const part = utilization()
    if (part > BUSY) hasWorked = true
    else if (hasWorked && part < CALM && clock.now() >= notBefore) {
      hasWorked = false
      notBefore = clock.now() + EVERY_MS
      giveBack()
    }
    cancel = clock.after(LOOK_MS, look)
  }
  // What the start needed is the first to be given back.
  look()
  return () => cancel()
}

function eventLoop(): Utilization {
  let before = performance.eventLoopUtilization({ idle: 0, active: 0, utilization: 0 })
  return () => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    return utilization
  }
}

/** V8's own function, as `--expose-gc` shows it. */
type Collect = (how: { type: 'major'; execution: 'sync'; flavor: 'last-resort' }) => void

function byCollectingAndTrimming(): () => void {
  // The flag shows the function to new contexts only.
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as Collect
  setFlagsFromString('--no-expose-gc')
  const trim = mallocTrim()
  return () => {
    // The last resort compacts and lets go of the pages; after any other collection V8 keeps them for a while.
    if (getHeapStatistics().used_heap_size <= MOST_BYTES) {
      collect({ type: 'major', execution: 'sync', flavor: 'last-resort' })
    }
    trim()
  }
}

/** `malloc_trim` of glibc, out of the midst of every arena. Does nothing where the C library has no such call (musl). */
function mallocTrim(): () => void {
  try {
    // Held as a whole: the functions are good only while the library is not collected.
    const opened = nativeCalls().dlopen(null, { malloc_trim: { arguments: ['u64'], return: 'i32' } })
    return () => {
      opened.functions.malloc_trim(0n)
    }
  } catch {
    return () => undefined
  }
}
