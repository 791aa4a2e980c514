/** One event on one line, for people. */
import type { OpsEvent } from '../event.ts'
import { printable } from '../ops/text.ts'
import type { CliIo, Paint } from './io.ts'

/** What of an event's time is shown, always in UTC. */
export type TimeShown = 'time' | 'date'

export function sourceOf(event: OpsEvent): string {
  return event.source.split('/').at(-1) ?? ''
}

/** One event on one line of the terminal's width; whole in a pipe. `sourceWidth`: room for the source's name. */
export function eventLine(
  event: OpsEvent,
  io: CliIo,
  paint: Paint,
  sourceWidth = 9,
  shown: TimeShown = 'time',
): string {
  const { data, severitytext } = event
  const time = shownTime(event, shown)
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
  const source = printable(sourceOf(event), 40).padEnd(sourceWidth)
  const kind = printable(data.kind, 20).padEnd(8)
  const severity = printable(severitytext, 20)
  const room = severity.padEnd(8).length - severity.length
  const head = `${time}  ${source} ${kind} ${severity}${' '.repeat(room)} `
  const text = printable(`${event.type}  ${data.summary}${who}${origin}`, 1000)
  const left = io.isTty ? Math.max(20, io.columns - head.length) : text.length
  const cut = text.length > left ? `${text.slice(0, left - 1)}…` : text
  return `${paint('dim', time)}  ${source} ${kind} ${paint(style, severity)}${' '.repeat(room)} ${cut}`
}

function shownTime(event: OpsEvent, shown: TimeShown): string {
  const ms = Date.parse(event.time ?? event.recordedtime)
  const iso = Number.isNaN(ms) ? '---------- --:--:--' : new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
  return shown === 'time' ? iso.slice(11) : iso
}
