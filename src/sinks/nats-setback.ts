/**
 * Has the stream lost what it had acknowledged? An acknowledgement is no fsync: a server that died, was restored from an
 * older copy, or whose stream was made anew, goes on from an earlier point (reference §6). A purge, limits and deleted
 * messages are none of that: they take messages away and leave the numbers.
 */
import type { StreamInfo } from '@nats-io/jetstream'
import type { Setback } from './contract.ts'
import { idAt, type LookupDeps } from './nats-lookup.ts'
import { isSameLife, type Mark } from './position.ts'

/** Where the stream is now. */
export function markNow({ config, created, state }: StreamInfo): Mark {
  return { stream: config.name, created, seq: state.last_seq, id: null }
}

/**
 * Holds what was acknowledged (`known`) against the stream as it is; `trimmed`: the same for what the store has no more.
 * Undefined when nothing shows a loss, and for a mark of a stream of another name. Rejects with `Retryable('sink')`.
 */
export async function findSetback(
  deps: LookupDeps,
  info: StreamInfo,
  known: Mark,
  trimmed: Mark | undefined,
): Promise<Setback | undefined> {
  const now = markNow(info)
  const { stream } = now
  if (known.stream !== stream) return undefined
  // What was trimmed before the config named this stream lies in another one.
  const isTrimmedHere = trimmed !== undefined && trimmed.stream === stream
  if (!isSameLife(known, now)) {
    const detail = `stream ${stream} is another one than before: made at ${now.created}, not at ${known.created}`
    return { detail, leftMs: undefined, whole: !isTrimmedHere || isSameLife(trimmed, now) }
  }
  const leftMs = info.state.messages === 0 ? undefined : Date.parse(info.state.last_ts)
  if (now.seq < known.seq) {
    const detail = `stream ${stream} ends at message ${now.seq}, and ${known.seq} was acknowledged`
    return { detail, leftMs, whole: !isTrimmedHere || trimmed.seq <= now.seq }
  }
  if (await isStillAt(deps, info, known)) return undefined
  const detail = `stream ${stream}: message ${known.seq} is another one than was acknowledged`
  // How far back it went before it was written to again, nothing tells.
  return { detail, leftMs: undefined, whole: !isTrimmedHere || (await isStillAt(deps, info, trimmed)) }
}

/** True also of a message that was taken away since: it proves nothing. */
async function isStillAt(deps: LookupDeps, { state }: StreamInfo, { seq, id }: Mark): Promise<boolean> {
  if (id === null || seq < state.first_seq) return true
  const found = await idAt(deps, seq)
  return found === undefined || found === id
}
