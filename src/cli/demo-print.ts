/** What the demo shows: a line for each event, a summary now and then. */
import type { OpsEvent } from '../event.ts'
import { printable } from '../ops/text.ts'
import type { CliIo, Paint } from './io.ts'

/** Counts by source and kind. */
export class DemoTally {
  readonly #counts = new Map<string, Map<string, number>>()
  total = 0

  add(event: OpsEvent): void {
    const source = sourceOf(event)
    const kinds = this.#counts.get(source) ?? new Map<string, number>()
    this.#counts.set(source, kinds)
    kinds.set(event.data.kind, (kinds.get(event.data.kind) ?? 0) + 1)
    this.total++
  }

  /** Of these sources, the ones that gave nothing but news of their own health. */
  silent(sources: readonly string[]): string[] {
    return sources.filter(source => [...(this.#counts.get(source)?.keys() ?? [])].every(kind => kind === 'source'))
  }

  line(): string {
    const parts = [...this.#counts].map(([source, kinds]) => {
      const each = [...kinds].map(([kind, count]) => `${kind} ${count}`).join(', ')
      return `${source}: ${each}`
    })
    return parts.length === 0 ? 'nothing yet' : parts.join('  |  ')
  }
}

export function sourceOf(event: OpsEvent): string {
  return event.source.split('/').at(-1) ?? ''
}

/** One event on one line of the terminal's width; whole in a pipe. */
export function eventLine(event: OpsEvent, io: CliIo, paint: Paint): string {
  const { data, severitytext } = event
  const time = (event.time ?? event.recordedtime).slice(11, 19)
  const style =
    data.state === 'resolved'
      ? 'green'
      : severitytext === 'critical' || severitytext === 'major'
        ? 'red'
        : severitytext === 'minor' || severitytext === 'warning'
          ? 'yellow'
          : 'cyan'
  const origin = event.origin === 'live' ? '' : ` (${event.origin})`
  const { actor } = data
  // Many summaries name who it was already.
  const who = actor?.user === undefined || data.summary.includes(actor.user) ? '' : ` [${actor.user}]`
  const head = `${time}  ${sourceOf(event).padEnd(9)} ${data.kind.padEnd(8)} ${severitytext.padEnd(8)} `
  const text = printable(`${event.type}  ${data.summary}${who}${origin}`, 1000)
  const room = io.isTty ? Math.max(20, io.columns - head.length) : text.length
  const cut = text.length > room ? `${text.slice(0, room - 1)}…` : text
  return `${paint('dim', time)}${head.slice(8)}`.replace(severitytext, paint(style, severitytext)) + cut
}
