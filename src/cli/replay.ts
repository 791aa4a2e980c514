/** `opswire replay`: dead letters once more, or what the sources still know of the past; by the daemon, or without one. */
import { Fatal, Retryable } from '../errors.ts'
import { printable } from '../ops/text.ts'
import { replayOffline } from '../replay/offline.ts'
import type { Line, SourceResult, Summary, Wish } from '../replay/wish.ts'
import { systemClock } from '../scheduler/clock.ts'
import { natsSink } from '../sinks/nats.ts'
import { stdoutSink } from '../sinks/stdout.ts'
import { StoreLocked } from '../store/lock.ts'
import { type Arguments, readArguments } from './arguments.ts'
import { jsonLine } from './cells.ts'
import { type CliIo, EXIT, UsageError } from './io.ts'
import { load } from './load.ts'
import { askDaemon } from './replay-ask.ts'
import { stopSignals } from './signals.ts'
import { hintOf, timeOf, wholeNumber } from './values.ts'

/** Resolves with 0 when all that was found is delivered, 69 when something was not, 75 after Ctrl-C. */
export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('replay', args)
  const clock = io.clock ?? systemClock
  const wish = wishOf(given, clock.wall(), timeOf(given, 'since', clock))
  const { config, file } = await load(given.needed('config'), io.env)
  const names = config.sources.map(source => source.name)
  if (wish.source !== undefined && wish.what === 'since') needSource(wish.source, names, file)
  if (wish.what === 'since' && config.nats === undefined) {
    throw new Fatal(
      'config',
      `${file} has no nats block: events go to standard output, nobody can ask what its reader has, and there is nothing to compare with`,
    )
  }
  const signals = io.signal === undefined ? stopSignals() : undefined
  const signal = io.signal ?? signals?.stop ?? new AbortController().signal
  const json = given.has('json')
  // Without a daemon and without NATS the events themselves go to standard output.
  let out = io.stdout
  let shown = 0
  const tell = async (line: Line): Promise<void> => {
    if (line.type === 'letter') shown++
    show(line, json, io, out)
  }
  try {
    let summary = await askDaemon({ config: config.http, body: bodyOf(wish), signal, tell })
    if (summary === undefined) {
      const sink =
        config.nats === undefined
          ? stdoutSink({ stream: io.stdout })
          : natsSink(config.nats, { clock, report: () => undefined })
      if (config.nats === undefined && wish.what !== 'list') out = io.stderr
      summary = await replayOffline(wish, { config, sink, clock, signal, tell })
    }
    clearProgress(io)
    // Of a source that was taken out of the config letters may lie there; of no source at all there are none.
    if (wish.source !== undefined && summary.outcome === 'done' && summary.sources.length + shown === 0) {
      needSource(wish.source, names, file)
    }
    if (json) out.write(`${jsonLine(summary)}\n`)
    else for (const line of summaryLines(summary, wish)) out.write(`${indented(line)}\n`)
    return exitOf(summary)
  } catch (error) {
    clearProgress(io)
    if (signal.aborted) {
      io.stderr.write('opswire replay: cancelled; what was found by then is in the store, and the daemon delivers it\n')
      return EXIT.forced
    }
    if (error instanceof StoreLocked) {
      throw new Retryable('store', `a daemon runs, and does not answer at http.listen ${config.http.listen}`, {
        cause: error,
      })
    }
    throw error
  } finally {
    signals?.forget()
  }
}

/** Throws `UsageError` unless it is one of them. */
function needSource(name: string, names: readonly string[], file: string): void {
  if (names.includes(name)) return
  throw new UsageError(`--source: no source "${name}" in ${file}${hintOf(name, names)}`, 'replay')
}

function wishOf(given: Arguments, nowMs: number, sinceMs: number | undefined): Wish {
  const ways = ['dead-letters', 'since', 'list'].filter(flag => given.has(flag))
  const [way] = ways
  if (way === undefined) throw new UsageError('say what: --dead-letters, --since TIME, or --list', 'replay')
  if (ways.length > 1) throw new UsageError(`--${ways.join(' and --')} do not go together`, 'replay')
  const limit = wholeNumber(given, 'limit', 1)
  if (sinceMs !== undefined && limit !== undefined) throw new UsageError('--limit is for dead letters', 'replay')
  if (sinceMs !== undefined && sinceMs > nowMs) throw new UsageError('--since is in the future', 'replay')
  const what = way === 'since' ? 'since' : way === 'list' ? 'list' : 'dead_letters'
  return { what, sinceMs: sinceMs ?? 0, source: given.text('source'), limit }
}

function bodyOf({ what, sinceMs, source, limit }: Wish): object {
  const which =
    what === 'since'
      ? { since: new Date(sinceMs).toISOString() }
      : what === 'list'
        ? { list: true }
        : { deadLetters: true }
  return { ...which, ...(source === undefined ? {} : { source }), ...(limit === undefined ? {} : { limit }) }
}

/** Progress on a terminal, on the line where the last one stood; letters as rows. */
function show(line: Line, json: boolean, io: CliIo, out: CliIo['stdout']): void {
  if (line.type === 'letter') {
    const { key, at, source, feed, bytes, reason } = line
    const row = `${at.slice(0, 19).replace('T', ' ')}  ${source}/${feed}  ${bytes} bytes  ${reason}`
    out.write(json ? `${jsonLine(line)}\n` : `${key.padStart(5)}  ${printable(row)}\n`)
  } else if (line.type === 'progress' && io.stderrIsTty === true) {
    const { phase, source, read, sent } = line
    const text = `${source === null ? '' : `${source}: `}${phase}${read > 0 ? `, ${read} read` : ''}, ${sent} to send`
    io.stderr.write(`\r\x1b[K${printable(text).slice(0, io.columns - 1)}`)
  }
}

function clearProgress(io: CliIo): void {
  if (io.stderrIsTty === true) io.stderr.write('\r\x1b[K')
}

const WORDS = { replayed: 'understood now', dead: 'still dead', superseded: 'no news any more' } as const

function summaryLines({ outcome, sources, error }: Summary, { what }: Wish): string[] {
  if (what === 'list') return error === undefined ? [] : [error.reason]
  const lines = sources.flatMap(one => [
    `${one.source}: ${one.read} ${what === 'since' ? 'facts read' : 'dead letters'}, ${counted(one)}`,
    ...one.reasons.map(({ outcome: how, reason, count }) => `  ${WORDS[how]}: ${count} (${reason})`),
    ...one.notes.map(note => `  note: ${note}`),
    ...(one.error === undefined ? [] : [`  failed: ${one.error.reason}`]),
  ])
  const sent = sources.reduce((sum, one) => sum + one.sent, 0)
  const total =
    sources.length === 0 && what === 'dead_letters'
      ? 'there are no dead letters'
      : `${sent} events sent, and acknowledged`
  if (outcome === 'done') return [...lines, total]
  return [...lines, `${outcome}${error === undefined ? '' : `: ${error.reason}`}`]
}

function indented(line: string): string {
  const text = line.trimStart()
  return ' '.repeat(line.length - text.length) + printable(text)
}

function counted({ sent, known }: SourceResult): string {
  return `${sent} sent, ${known} there already`
}

/** The codes of what went wrong first. */
function exitOf({ outcome, sources, error }: Summary): number {
  if (outcome === 'done') return EXIT.ok
  if (outcome === 'cancelled') return EXIT.forced
  const codes = [error, ...sources.map(one => one.error)].flatMap(one => one?.code ?? [])
  if (codes.some(code => code === 'bug')) return EXIT.bug
  return codes.some(code => code === 'auth_refused' || code === 'permission') ? EXIT.refused : EXIT.unavailable
}
