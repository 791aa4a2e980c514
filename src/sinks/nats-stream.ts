/** The stream that events go to: verified at each connect, created only when the config says so, never changed. */
import {
  JetStreamApiCodes,
  JetStreamApiError,
  type JetStreamManager,
  RetentionPolicy,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/transport-node'
import type { NatsConfig } from '../config/schema.ts'
import { formatDuration, formatSize } from '../config/units.ts'
import { Retryable } from '../errors.ts'

/** An event without its raw object fits into this. */
const LEAST_MESSAGE_BYTES = 8 * 1024
/** What the server is asked for must outlive the longest wait for an acknowledgement. */
const LEAST_DUPLICATE_WINDOW_MS = 30_000

/** First subject tokens that events and notices are published under. */
export const PUBLISHED = ['apic', 'raas', 'vcd', '_dead']

export interface Verdict {
  /** False when the stream's retention takes messages away, so that looking for them proves nothing. */
  readonly keeps: boolean
  /** The server's level of the JetStream API; undefined before nats-server 2.11. */
  readonly apiLevel: number | undefined
  /** Differences from the config that don't break the promise. */
  readonly warnings: readonly string[]
}

export interface VerifiedStream extends Verdict {
  /** As it is now. */
  readonly info: StreamInfo
}

/** Rejects with `Retryable('sink')` and the exact difference when the stream can't keep the promise. */
export async function ensureStream(manager: JetStreamManager, config: NatsConfig): Promise<VerifiedStream> {
  const { name } = config.stream
  try {
    const info = await infoOf(manager, config)
    return { ...judge(info.config, config), info }
  } catch (error) {
    if (error instanceof Retryable) throw error
    if (error instanceof Error && error.name === 'JetStreamNotEnabled') {
      throw new Retryable('sink', 'JetStream is not enabled on this NATS server or account', { cause: error })
    }
    throw new Retryable('sink', `can't look at stream ${name}`, { cause: error })
  }
}

async function infoOf(manager: JetStreamManager, config: NatsConfig): Promise<StreamInfo> {
  const { name, create } = config.stream
  try {
    return await manager.streams.info(name)
  } catch (error) {
    if (!(error instanceof JetStreamApiError) || error.code !== JetStreamApiCodes.StreamNotFound) throw error
  }
  if (!create) {
    throw new Retryable(
      'sink',
      `stream ${name} does not exist and nats.stream.create is false: create it on subject ${config.prefix}.>`,
    )
  }
  try {
    return await manager.streams.add(wanted(config))
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error
    // 10058: another daemon was faster, with other settings. What it made is judged like any other.
    if (error.code === 10058) return manager.streams.info(name)
    throw new Retryable('sink', `stream ${name} can't be created: ${error.message} (${error.code})`)
  }
}

function wanted(config: NatsConfig): Partial<StreamConfig> & { name: string } {
  const { name, replicas, max_age, max_bytes, duplicate_window } = config.stream
  return {
    name,
    subjects: [`${config.prefix}.>`],
    num_replicas: replicas,
    max_age: nanos(max_age),
    max_bytes,
    duplicate_window: nanos(duplicate_window),
  }
}

/** Holds a stream's settings against the promise and the config. Throws `Retryable('sink')` for what breaks the promise. */
export function judge(stream: StreamConfig, config: NatsConfig): Verdict {
  const broken: string[] = []
  const uncovered = PUBLISHED.map(token => `${config.prefix}.${token}.>`).filter(
    subject => !stream.subjects?.some(pattern => covers(pattern, subject)),
  )
  if (uncovered.length > 0) {
    broken.push(`its subjects (${stream.subjects?.join(', ') ?? 'none'}) don't cover ${config.prefix}.>`)
  }
  if (stream.no_ack) broken.push('no_ack is true, so deliveries are never acknowledged')
  if (stream.sealed) broken.push('it is sealed')
  if (stream.max_msg_size > 0 && stream.max_msg_size < LEAST_MESSAGE_BYTES) {
    broken.push(`max_msg_size ${formatSize(stream.max_msg_size)} is less than ${formatSize(LEAST_MESSAGE_BYTES)}`)
  }
  if (broken.length > 0) throw new Retryable('sink', `stream ${stream.name} can't be used: ${broken.join('; ')}`)
  const level = Number(stream.metadata?.['_nats.level'] ?? Number.NaN)
  return {
    keeps: stream.retention === RetentionPolicy.Limits,
    apiLevel: Number.isSafeInteger(level) ? level : undefined,
    warnings: differences(stream, config),
  }
}

function differences(stream: StreamConfig, config: NatsConfig): string[] {
  const wish = config.stream
  const found: string[] = []
  const less = (key: string, have: number, want: number, show: (value: number) => string): void => {
    if (have > 0 && have < want) found.push(`${key} is ${show(have)}, the config says ${show(want)}`)
  }
  const ms = (value: number): number => Math.round(value / 1e6)
  less('max_age', ms(stream.max_age), wish.max_age, formatDuration)
  less('max_bytes', stream.max_bytes, wish.max_bytes, formatSize)
  less('replicas', stream.num_replicas, wish.replicas, String)
  less('duplicate_window', ms(stream.duplicate_window), wish.duplicate_window, formatDuration)
  if (ms(stream.duplicate_window) < LEAST_DUPLICATE_WINDOW_MS) {
    found.push(`duplicate_window should be at least ${formatDuration(LEAST_DUPLICATE_WINDOW_MS)}`)
  }
  if (stream.retention !== RetentionPolicy.Limits) {
    found.push(
      `retention is ${stream.retention}: events leave the stream before max_age, and repeats are only known within duplicate_window`,
    )
  }
  if (stream.discard === 'new') found.push('discard is new: a full stream stops deliveries until there is room')
  if (stream.max_msgs > 0) found.push(`max_msgs is ${stream.max_msgs}: older events are dropped beyond that`)
  if (stream.max_msgs_per_subject > 0) {
    found.push(`max_msgs_per_subject is ${stream.max_msgs_per_subject}: older events of a subject are dropped`)
  }
  return found.map(text => `stream ${stream.name}: ${text}`)
}

/** True when every subject that `subject` stands for is taken by `pattern` (NATS wildcards `*` and `>`). */
export function covers(pattern: string, subject: string): boolean {
  const patterns = pattern.split('.')
  const tokens = subject.split('.')
  for (const [index, want] of patterns.entries()) {
    const have = tokens[index]
    if (have === undefined) return false
    if (want === '>') return true
    if (have === '>' || (want === '*' ? false : want !== have)) return false
  }
  return patterns.length === tokens.length
}
