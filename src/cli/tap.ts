/** `opswire tap`: follows the stream, as any consumer would, and shows what is wished for. */
import type { NatsConfig } from '../config/schema.ts'
import { describe, Fatal, Retryable } from '../errors.ts'
import type { OpsEvent } from '../event.ts'
import { KINDS } from '../event-schema.ts'
import { printable } from '../ops/text.ts'
import { type Clock, systemClock } from '../scheduler/clock.ts'
import { supervise } from '../scheduler/supervise.ts'
import { type StreamNow, type TapOptions, type Tapped, tap } from '../sinks/nats-tap.ts'
import { type Arguments, readArguments } from './arguments.ts'
import { jsonLine } from './cells.ts'
import { eventLine } from './event-line.ts'
import { type CliIo, EXIT, type Paint, painter, UsageError } from './io.ts'
import { load } from './load.ts'
import { stopSignals } from './signals.ts'
import { accepts, hasTexts, SEVERITIES, showsNotices, subjectsOf, type TapWish } from './tap-filter.ts'
import { hintOf, timeOf, wholeNumber } from './values.ts'

const BACKOFF = { firstMs: 500, capMs: 5000 }

/** Resolves with 0 after `--limit` events or Ctrl-C, 69 when NATS or the stream is not there to begin with. */
export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('tap', args)
  const clock = io.clock ?? systemClock
  const wish = wishOf(given)
  const limit = wholeNumber(given, 'limit', 1) ?? Number.POSITIVE_INFINITY
  const sinceMs = given.text('since') === 'start' ? 0 : timeOf(given, 'since', clock)
  const { config, file } = await load(given.needed('config'), io.env)
  if (config.nats === undefined) {
    throw new Fatal(
      'config',
      `${file} has no nats block: the daemon writes events to its standard output, there is no stream to follow`,
    )
  }
  const names = config.sources.map(source => source.name)
  for (const source of wish.sources) {
    if (!names.includes(source)) note(io, `no source "${source}" in ${file}${hintOf(source, names)}`)
  }
  const width = Math.max(...[...names, ...wish.sources].map(name => name.length))
  const signals = io.signal === undefined ? stopSignals() : undefined
  const signal = io.signal ?? signals?.stop ?? new AbortController().signal
  const shown = new Shown({ io, wish, limit, json: given.has('json'), width, dated: sinceMs !== undefined })
  try {
    await follow(config.nats, { clock, signal, subjects: subjectsOf(wish), sinceMs }, shown, io)
    return EXIT.ok
  } finally {
    signals?.forget()
  }
}

function wishOf(given: Arguments): TapWish {
  const listed = (flag: string, known?: readonly string[]): string[] => {
    const values = given.texts(flag).flatMap(text => text.split(','))
    for (const value of values) {
      if (known !== undefined && !known.includes(value)) {
        throw new UsageError(`--${flag}: unknown "${value}"${hintOf(value, known)}`, 'tap')
      }
    }
    return values
  }
  const sources = listed('source')
  for (const source of sources) {
    if (!/^[a-z][a-z0-9-]{0,31}$/.test(source)) throw new UsageError(`--source: "${source}" is no source's name`, 'tap')
  }
  const [severity] = listed('severity', SEVERITIES)
  return {
    sources,
    kinds: listed('kind', KINDS),
    severity: SEVERITIES.find(one => one === severity),
    types: listed('type'),
    actors: listed('actor'),
    texts: given.texts('text'),
  }
}

interface ShownOptions {
  readonly io: CliIo
  readonly wish: TapWish
  readonly limit: number
  readonly json: boolean
  readonly width: number
  readonly dated: boolean
}

/** Prints what is wished for, and counts it. */
class Shown {
  readonly #options: ShownOptions
  readonly #paint: Paint
  #count = 0

  constructor(options: ShownOptions) {
    this.#options = options
    this.#paint = painter(options.io)
  }

  get isDone(): boolean {
    return this.#count >= this.#options.limit
  }

  take({ event, subject, seq }: Tapped): void {
    const { wish, json } = this.#options
    if (isEvent(event)) {
      if (accepts(wish, event)) this.#print(json ? jsonLine(event) : this.#line(event))
      return
    }
    if (!showsNotices(wish) || !hasTexts(wish, [subject, event])) return
    const [, source] = /\._dead\.([^.]+)$/.exec(subject) ?? []
    if (source === undefined && event === undefined) return
    if (wish.sources.length > 0 && !wish.sources.includes(source ?? '')) return
    if (json) this.#print(jsonLine(event))
    else if (source !== undefined) this.#print(this.#notice(source, event))
    else this.#print(this.#paint('dim', printable(`message ${seq} on ${subject} is no event of opswire`)))
  }

  #line(event: OpsEvent): string {
    const { io, width, dated } = this.#options
    return eventLine(event, io, this.#paint, width, dated ? 'date' : 'time')
  }

  #notice(source: string, notice: unknown): string {
    const { reason, time, bytes, key } = (notice ?? {}) as Readonly<Record<string, unknown>>
    const at = typeof time === 'string' ? time.slice(this.#options.dated ? 0 : 11, 19).replace('T', ' ') : ''
    const text = `${at}  ${source.padEnd(this.#options.width)} dead letter ${key}: ${reason} (${bytes} bytes, kept in state_dir)`
    return this.#paint('yellow', printable(text))
  }

  #print(line: string): void {
    this.#count++
    this.#options.io.stdout.write(`${line}\n`)
  }
}

/** What is shown of an event must be there: others may put what they like on these subjects. */
function isEvent(message: unknown): message is OpsEvent {
  const event = message as Partial<OpsEvent> | null | undefined
  return (
    [event?.source, event?.type, event?.severitytext, event?.data?.kind, event?.data?.summary].every(
      text => typeof text === 'string',
    ) && typeof event?.severitynumber === 'number'
  )
}

interface Following {
  readonly clock: Clock
  readonly signal: AbortSignal
  readonly subjects: readonly string[]
  readonly sinceMs: number | undefined
}

/** Follows over lost connections, without a hole. What keeps the first one from standing is thrown. */
async function follow(nats: NatsConfig, following: Following, shown: Shown, io: CliIo): Promise<void> {
  const { clock, signal, subjects, sinceMs } = following
  const over = new AbortController()
  const both = AbortSignal.any([signal, over.signal])
  let from: TapOptions['from'] = sinceMs === undefined ? 'now' : sinceMs === 0 ? 'start' : { sinceMs }
  /** Of the stream that is followed; undefined before it stood for the first time. */
  let created: string | undefined
  let lost = false
  let failure: unknown
  const onStart = (stream: StreamNow): void => {
    if (created !== undefined && stream.created !== created) {
      note(io, `stream ${nats.stream.name} was made anew: following it from its beginning`)
      from = 'start'
    } else if (lost) note(io, 'connected again')
    else if (io.stderrIsTty === true) note(io, `following stream ${nats.stream.name}; Ctrl-C ends`)
    lost = false
    created = stream.created
    if (from === 'now') from = { seq: stream.next }
  }
  const onFailure = (error: unknown): void => {
    if (created === undefined) {
      failure = error
      over.abort()
    } else if (!lost) {
      lost = true
      note(io, `${error === undefined ? 'the connection to NATS ended' : describe(error)}; trying again`)
    }
  }
  await supervise({ clock, signal: both, backoff: BACKOFF, onFailure }, async attempt => {
    for await (const message of tap(nats, { signal: both, from, created, subjects, clock, onStart })) {
      attempt.alive()
      from = { seq: message.seq + 1 }
      shown.take(message)
      if (shown.isDone) over.abort()
      if (both.aborted) return
    }
  })
  if (failure !== undefined && !signal.aborted) throw explained(failure, nats)
}

function explained(error: unknown, nats: NatsConfig): unknown {
  if (!(error instanceof Retryable) || !/stream not found/.test(error.message)) return error
  const { name, create } = nats.stream
  const who = create ? 'the daemon makes it when it starts' : 'nats.stream.create is false, so somebody has to make it'
  return new Retryable('sink', `there is no stream ${name} on ${nats.servers.join(', ')}: ${who}`)
}

function note(io: CliIo, text: string): void {
  io.stderr.write(`opswire tap: ${printable(text)}\n`)
}
