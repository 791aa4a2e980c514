/** Plays one case folder through decoder and normaliser, as a subscription would. */
import type { Fact, Origin } from '../../src/event.ts'
import type { ManagedObject } from '../../src/record.ts'
import { type Change, changesOf, decodeAnswer, decodeFrame } from '../../src/subscribers/apic/decode.ts'
import { normalise } from '../../src/subscribers/apic/normalise.ts'

/** One thing that arrives: a frame, an answer to a query, or an object asked for by its dn. */
interface Step {
  readonly frame?: unknown
  readonly xmlFrame?: string
  readonly answer?: unknown
  readonly xml?: string
  readonly whole?: { readonly cls: string; readonly attributes: Record<string, string> }
  readonly origin?: Origin
}

export interface Case {
  /** What the case is there for. */
  readonly about: string
  /** Carry `data.raw`; most cases leave it out to stay readable. */
  readonly raw?: boolean
  readonly steps: readonly Step[]
}

export interface Played {
  readonly facts: readonly Fact[]
  /** For each dn that is remembered, the version. */
  readonly mirror: Readonly<Record<string, string>>
  /** dns for which the whole object would be asked. */
  readonly partial: readonly string[]
}

/** `times: 2` delivers each step twice in a row, as two sessions that overlap do when neither lags. */
export function play(input: Case, times = 1): Played & { readonly objects: readonly ManagedObject[] } {
  const mirror = new Map<string, ManagedObject>()
  const facts: Fact[] = []
  const partial: string[] = []
  for (const step of input.steps.flatMap(one => Array.from({ length: times }, () => one))) {
    for (const change of changesIn(step)) {
      const context = {
        source: { system: 'apic', name: 'fabric-a' },
        raw: input.raw === true,
        origin: step.origin ?? 'live',
      } as const
      const outcome = normalise(context, change, mirror.get(change.dn))
      if (outcome.fact !== undefined) facts.push(outcome.fact)
      if (outcome.partial) partial.push(change.dn)
      if (outcome.mirror?.object === null) mirror.delete(outcome.mirror.key)
      else if (outcome.mirror?.object !== undefined) mirror.set(outcome.mirror.key, outcome.mirror.object)
    }
  }
  const versions = Object.fromEntries([...mirror].map(([dn, object]) => [dn, object.version]))
  return { facts, mirror: versions, partial, objects: [...mirror.values()] }
}

function changesIn(step: Step): readonly Change[] {
  if (step.whole !== undefined) {
    const { cls, attributes } = step.whole
    return [{ cls, dn: attributes['dn'] ?? '', attributes, status: 'modified', whole: true }]
  }
  if (step.frame !== undefined) return decodeFrame(JSON.stringify(step.frame)).changes
  if (step.xmlFrame !== undefined) return decodeFrame(step.xmlFrame).changes
  return changesOf(decodeAnswer(step.xml ?? JSON.stringify(step.answer)).objects)
}
