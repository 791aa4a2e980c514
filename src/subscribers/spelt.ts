/** Facts spelt out as JSON while they are young: what waits then is a few bytes outside of V8's heap instead of an object of a hundred parts. */
import { type Brief, type Fact, type SourceRef, subjectOf } from '../event.ts'
import type { NewEvent } from '../store/contract.ts'

/** A fact as the bytes of its event, which lack only when they were taken down. */
export interface Spelt {
  readonly brief: Brief
  readonly id: string
  /** Of NATS, without the prefix. */
  readonly subject: string
  readonly partitionkey: string
  /** The event's JSON; `SUFFIX_BYTES` at its end are still to be written. */
  readonly body: Buffer
}

/** `,"recordedtime":"…"}`: every time that a `Date` spells for the years 0 to 9999 has the same length. */
const suffix = (recordedtime: string): string => `,"recordedtime":"${recordedtime}"}`
const SUFFIX_BYTES = suffix(new Date(0).toISOString()).length

/** Made once for each source. The fact is not needed any more. */
export function speller(source: SourceRef): (fact: Fact) => Spelt {
  // There are few: names of kinds and severities.
  const subjects = new Map<string, string>()
  return fact => {
    const { id, type, subject, severitytext, origin, partitionkey, data } = fact
    const key = data.kind + severitytext
    let place = subjects.get(key)
    if (place === undefined) {
      place = subjectOf(source, fact)
      subjects.set(key, place)
    }
    const { kind, summary, outcome, actor, flags, gap } = data
    return {
      brief: { id, type, subject, severitytext, origin, data: { kind, summary, outcome, actor, flags, gap } },
      id,
      subject: place,
      partitionkey,
      body: bodyOf(fact),
    }
  }
}

/** Memory that bodies are cut from, one behind the other. */
const SLAB_BYTES = 64 * 1024
/** A larger body has memory of its own: less than this of a slab is left over. */
const CUT_BYTES = SLAB_BYTES / 8
let slab = Buffer.alloc(0)
let used = 0

/**
 * Memory for one body. Not from Node's pool: of what else is cut from there, such as the answers to polls, little lives
 * long, and a body that waits for the sink keeps all 64 KiB around it.
 */
function room(bytes: number): Buffer {
  if (bytes > CUT_BYTES) return Buffer.allocUnsafeSlow(bytes)
  if (used + bytes > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES)
    used = 0
  }
  used += bytes
  return slab.subarray(used - bytes, used)
}

function bodyOf(fact: Fact): Buffer {
  const json = JSON.stringify(fact)
  const bytes = Buffer.byteLength(json)
  const body = room(bytes - 1 + SUFFIX_BYTES)
  // All but the brace at its end: the suffix has another one.
  body.write(json, 0, bytes - 1, 'utf8')
  return body
}

/** The event for the store. To be called once. */
export function takenDown(
  { id, subject, partitionkey, body }: Spelt,
  recordedMs: number,
  recordedtime: string,
): NewEvent {
  const end = suffix(recordedtime)
  const json = body.length - SUFFIX_BYTES
  if (end.length === SUFFIX_BYTES) body.write(end, json, 'latin1')
  else return { id, subject, partitionkey, recordedMs, body: Buffer.concat([body.subarray(0, json), Buffer.from(end)]) }
  return { id, subject, partitionkey, recordedMs, body }
}
