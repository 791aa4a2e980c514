/** `opswire query`: one read-only question to one source, with that source's own login. */
import type { SourceConfig } from '../config/sources.ts'
import { codeOf, describe, type ErrorCode } from '../errors.ts'
import type { Report } from '../report.ts'
import { aborted, type Clock, systemClock } from '../scheduler/clock.ts'
import { type Arguments, readArguments } from './arguments.ts'
import { cellText } from './cells.ts'
import { type CliIo, EXIT, UsageError } from './io.ts'
import { load } from './load.ts'
import { kindsOf } from './query-words.ts'
import { Rows, type RowsOptions } from './rows.ts'
import { stopSignals } from './signals.ts'
import { hintOf, listOf, wholeNumber } from './values.ts'

/** What a question to any system is asked with. */
export interface Asking {
  readonly io: CliIo
  readonly given: Arguments
  /** What to ask, as it was typed behind the source's name. */
  readonly words: readonly string[]
  readonly stateDir: string | undefined
  readonly clock: Clock
  readonly report: Report
  /** Aborts when the answer is no longer wanted: Ctrl-C, or the reader has gone. */
  readonly signal: AbortSignal
  /** `--limit` */
  readonly most: number
  /** Makes the printer of the answer; it prints `limit` rows at the most, or else `most`. */
  rows(choose: RowsOptions['choose'], limit?: number): Rows
  /** A remark for the person, on stderr. */
  note(text: string): void
}

/** The question, checked as far as that goes without asking. */
export type Question = () => Promise<void>

/** A reader of standard output that went away has seen enough. */
class ReaderGone extends Error {}
class Interrupted extends Error {}

/** Resolves with 0, 69, 75 (a second Ctrl-C), 77 or 78. Throws `UsageError` for a question that is wrong, `Fatal('config')` for the file. */
export async function run(args: string[], io: CliIo): Promise<number> {
  const given = readArguments('query', args)
  const [name, ...words] = given.operands
  const { config, warnings } = await load(given.needed('config'), io.env)
  const source = sourceNamed(name, config.sources)
  refuseForeignFlags(given, source)
  const columns = listOf(given.text('columns'))
  if (columns?.length === 0) throw new UsageError('--columns: names none', 'query')
  const most = wholeNumber(given, 'limit', 1) ?? Number.POSITIVE_INFINITY
  const place = config.sources.indexOf(source)
  for (const warning of warnings) {
    if (warning.code === 'security' && warning.path[1] === place) note(io, `${source.name}: ${warning.message}`)
  }
  const over = new AbortController()
  const signals = io.signal === undefined ? stopSignals() : undefined
  const stop = io.signal ?? signals?.stop
  const onStop = (): void => over.abort(new Interrupted())
  const onGone = (): void => over.abort(new ReaderGone())
  stop?.addEventListener('abort', onStop, { once: true })
  // The terminal was closed: nobody is left to read.
  signals?.onHangup(onStop)
  io.stdout.on('error', onGone)
  let rows: Rows | undefined
  const remark = (text: string): void => (rows === undefined ? note(io, text) : rows.note(text))
  const asking: Asking = {
    io,
    given,
    words,
    stateDir: config.state_dir,
    clock: io.clock ?? systemClock,
    report: happening => {
      if (happening.type === 'advice') remark(`${source.name}: ${happening.text}`)
    },
    signal: over.signal,
    most,
    rows: (choose, limit = most) => {
      rows = new Rows(io, { json: given.has('json'), columns, limit, choose })
      return rows
    },
    note: remark,
  }
  try {
    const question = await questionFor(source, asking)
    // A second Ctrl-C does not wait for the goodbye.
    const forced = signals === undefined ? new Promise<never>(() => undefined) : aborted(signals.force)
    const end = await Promise.race([question().then(() => 'answered' as const), forced.then(() => 'forced' as const)])
    if (end === 'answered') return EXIT.ok
    explained(undefined, new Interrupted(), source, 0, io)
    return EXIT.forced
  } catch (error) {
    rows?.end()
    return explained(error, over.signal.aborted ? over.signal.reason : error, source, rows?.shown ?? 0, io)
  } finally {
    rows?.end()
    stop?.removeEventListener('abort', onStop)
    io.stdout.off('error', onGone)
    signals?.forget()
  }
}

async function questionFor(source: SourceConfig, asking: Asking): Promise<Question> {
  switch (source.kind) {
    case 'apic':
      return (await import('./query-apic.ts')).apicQuestion(source, asking)
    case 'raas':
      return (await import('./query-raas.ts')).raasQuestion(source, asking)
    case 'vcd':
      return (await import('./query-vcd.ts')).vcdQuestion(source, asking)
  }
}

function sourceNamed(name: string | undefined, sources: readonly SourceConfig[]): SourceConfig {
  const list = sources.map(source => `${source.name} (${source.kind})`).join(', ')
  if (name === undefined) throw new UsageError(`say which source, and what to ask it; there is ${list}`, 'query')
  const source = sources.find(one => one.name === name)
  if (source !== undefined) return source
  const names = sources.map(one => one.name)
  throw new UsageError(`no source "${name}" in the config${hintOf(name, names, list)}`, 'query')
}

function refuseForeignFlags(given: Arguments, source: SourceConfig): void {
  for (const flag of given.flags) {
    const kinds = kindsOf(flag)
    if (kinds.length === 0 || kinds.includes(source.kind)) continue
    throw new UsageError(`--${flag} is for ${kinds.join(' and ')} sources; ${source.name} is ${source.kind}`, 'query')
  }
}

/** One line on stderr, and the exit code. */
function explained(error: unknown, reason: unknown, source: SourceConfig, shown: number, io: CliIo): number {
  const say = (text: string): void => void io.stderr.write(`opswire query: ${cellText(`${source.name}: ${text}`)}\n`)
  const part = shown === 0 ? '' : `; what was printed (${shown}) is not all`
  if (reason instanceof ReaderGone) return EXIT.ok
  if (reason instanceof Interrupted) {
    say(`interrupted${part}`)
    return EXIT.unavailable
  }
  if (error instanceof UsageError) throw error
  const code = codeOf(error)
  if (code === 'bug' || code === 'poison') throw error
  const text = describe(error)
  const advice = adviceOf(code, text, source)
  say(`${text}${advice === '' ? '' : `; ${advice}`}${part}`)
  if (code === 'config') return EXIT.config
  return code === 'auth_refused' || code === 'permission' ? EXIT.refused : EXIT.unavailable
}

/** What to do, where the message does not say it already. */
function adviceOf(code: ErrorCode, text: string, source: SourceConfig): string {
  switch (code) {
    case 'auth_refused':
      return source.kind === 'vcd' ? '' : `check the login in the config and ${secretOf(source)}`
    case 'permission':
      return /\b(role|right)\b/.test(text) ? '' : 'give the account a role that may read it'
    case 'unreachable':
      return `is ${addressesOf(source)} right, and reachable from here?`
    case 'timeout':
      return 'ask for less, or raise request_timeout'
    case 'throttled':
      return 'it is overloaded, or asked too often: try again in a minute'
    case 'too_large':
      return 'ask for less'
    case 'config':
      // The daemon's own directory, as a rule.
      return /EACCES/.test(text) ? "run this as the daemon's user" : ''
    default:
      return ''
  }
}

function addressesOf(source: SourceConfig): string {
  return source.kind === 'apic' ? source.controllers.join(' or ') : source.url
}

function secretOf(source: SourceConfig): string {
  const secret = source.kind === 'raas' ? (source.password ?? source.csp_api_token ?? source.bearer_token) : undefined
  const used = source.kind === 'apic' ? source.password : secret
  if (used === undefined || used.origin === 'inline') return 'its secret'
  return `its secret (${used.toString()})`
}

function note(io: CliIo, text: string): void {
  io.stderr.write(`note: ${cellText(text)}\n`)
}
