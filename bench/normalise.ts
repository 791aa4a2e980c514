/**
 * The normaliser alone, by class: frame → decoded → fact, beside `JSON.parse` of the same frames. One thread, no socket, no
 * store. It fails when a push makes no fact: then it would measure something else.
 */
import type { ManagedObject } from '../src/record.ts'
import { systemClock } from '../src/scheduler/clock.ts'
import { decodeFrame } from '../src/subscribers/apic/decode.ts'
import { normalise } from '../src/subscribers/apic/normalise.ts'
import { CLASS_FRAMES, type ClassFrames, spelt } from './class-frames.ts'
import { type Spread, spread } from './figures.ts'

export interface ClassRate {
  readonly name: string
  readonly frameBytes: number
  /** Frames a second. */
  readonly parsed: Spread
  readonly normalised: Spread
  /** Normalised by parsed, in the same round. */
  readonly ratio: Spread
}

export interface NormaliseOptions {
  /** Pushes of a class in one lap. */
  readonly events: number
  readonly rounds: number
  /** How many objects of a class the pushes are about. */
  readonly objects: number
}

const CONTEXT = { source: { system: 'apic', name: 'fabric-a' }, raw: true, origin: 'live' } as const

/** A first round, which V8 needs to compile, is not counted. */
export function normaliseRates({ events, rounds, objects }: NormaliseOptions): ClassRate[] {
  const laps = CLASS_FRAMES.map(kind => {
    const frames = Array.from({ length: events }, (_, n) => spelt(kind.cls, kind.push(n, objects)))
    return { kind, frames, parsed: [] as number[], normalised: [] as number[] }
  })
  // Classes take turns, so that each is measured with what the others made V8 learn, as in a daemon.
  for (let round = 0; round <= rounds; round++) {
    for (const { kind, frames, parsed, normalised } of laps) {
      const plain = rateOf(events, () => parse(frames))
      const whole = rateOf(events, () => tell(kind, frames, objects))
      if (round === 0) continue
      parsed.push(plain)
      normalised.push(whole)
    }
  }
  return laps.map(({ kind, frames, parsed, normalised }) => ({
    name: kind.name,
    frameBytes: frames.reduce((sum, frame) => sum + frame.length, 0) / events,
    parsed: spread(parsed),
    normalised: spread(normalised),
    ratio: spread(normalised.map((rate, index) => rate / (parsed[index] ?? Number.NaN))),
  }))
}

/** Events a second. `prepare` gives what is measured. */
function rateOf(events: number, prepare: () => () => void): number {
  const prepared = prepare()
  const startedMs = systemClock.now()
  prepared()
  return (events * 1000) / (systemClock.now() - startedMs)
}

function parse(frames: readonly string[]): () => void {
  return () => {
    let seen = 0
    for (const frame of frames) if (Array.isArray((JSON.parse(frame) as { imdata: unknown }).imdata)) seen++
    if (seen !== frames.length) throw new Error('a frame without imdata')
  }
}

/** What a push needs of the daemon's mirror is there before the clock runs. */
function tell(kind: ClassFrames, frames: readonly string[], objects: number): () => void {
  const mirror = new Map<string, ManagedObject>()
  const apply = (frame: string): number => {
    let facts = 0
    for (const change of decodeFrame(frame).changes) {
      const { fact, mirror: learned } = normalise(CONTEXT, change, mirror.get(change.dn))
      if (fact !== undefined) facts++
      if (learned?.object !== null && learned !== undefined) mirror.set(learned.key, learned.object)
    }
    return facts
  }
  const { before } = kind
  if (before !== undefined) for (let object = 0; object < objects; object++) apply(spelt(kind.cls, before(object)))
  return () => {
    let facts = 0
    for (const frame of frames) facts += apply(frame)
    if (facts !== frames.length) throw new Error(`${kind.name}: ${facts} facts of ${frames.length} pushes`)
  }
}
