/** What `check --connect` found, as a table for people or JSON for scripts; and what to do about a failure. Pure. */
import type { ErrorCode } from '../errors.ts'
import type { ProbeStep } from '../probe.ts'
import { cellText, padded } from './cells.ts'
import type { Connected, Part } from './connect.ts'
import { EXIT, type Paint } from './io.ts'

/** 77 when a login was refused, else 69 when something failed, else 0. */
export function exitOf({ parts, interrupted }: Connected): number {
  const failed = parts.flatMap(part => part.steps.filter(step => step.outcome === 'failed'))
  if (failed.some(step => step.code === 'auth_refused')) return EXIT.refused
  return failed.length > 0 || interrupted ? EXIT.unavailable : EXIT.ok
}

/** One object a step, for `--json`. */
export function connectRows({ parts }: Connected): object[] {
  return parts.flatMap(({ name, kind, address, steps }) =>
    steps.map(step => {
      const { name: what, outcome, ms, detail, code } = step
      const next = step.outcome === 'failed' ? adviceFor(kind, step) : undefined
      const shown = ms === undefined ? null : Math.round(ms * 10) / 10
      return {
        part: name,
        kind,
        address,
        step: what,
        outcome,
        ms: shown,
        detail,
        code: code ?? null,
        next: next ?? null,
      }
    }),
  )
}

const STYLES = { ok: 'green', warned: 'yellow', failed: 'red', skipped: 'dim' } as const
const WORDS = { ok: 'ok', warned: 'ok, but', failed: 'FAILED', skipped: 'not tried' } as const

/** The table; a failure has a line of advice below it. */
export function connectTable(connected: Connected, paint: Paint): string {
  const { parts, interrupted } = connected
  const steps = parts.flatMap(part => part.steps)
  const width = Math.min(40, Math.max(0, ...steps.map(step => step.name.length)))
  const lines = parts.flatMap(part => partLines(part, width, paint))
  const count = (outcome: ProbeStep['outcome']): number => steps.filter(step => step.outcome === outcome).length
  const verdict =
    exitOf(connected) === EXIT.ok
      ? paint('green', `everything answers: ${count('ok') + count('warned')} steps${warned(count('warned'))}`)
      : paint(
          'red',
          [counted(count('failed'), 'failed'), counted(count('skipped'), 'not tried'), interrupted ? 'interrupted' : '']
            .filter(part => part !== '')
            .join(', '),
        )
  return `${[...lines, '', verdict].join('\n')}\n`
}

function counted(count: number, what: string): string {
  return count === 0 ? '' : `${count} ${count === 1 ? 'step' : 'steps'} ${what}`
}

function warned(count: number): string {
  return count === 0 ? '' : `, ${count} of them with something to know`
}

function partLines({ name, kind, address, steps }: Part, width: number, paint: Paint): string[] {
  const what = kind === 'here' || kind === 'nats' ? '' : `  ${kind}`
  const head = `${paint('bold', cellText(name))}${what}  ${cellText(address)}`
  return ['', head, ...steps.flatMap(step => stepLines(step, kind, width, paint))]
}

function stepLines(step: ProbeStep, kind: Part['kind'], width: number, paint: Paint): string[] {
  const { name, outcome, ms, detail } = step
  const time = ms === undefined ? '' : `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`
  const word = paint(STYLES[outcome], WORDS[outcome].padEnd(9))
  const row = `  ${padded(cellText(name), width)}  ${time.padStart(9)}  ${word}  ${cellText(detail)}`.trimEnd()
  if (outcome !== 'failed') return [row]
  const next = adviceFor(kind, step)
  return next === undefined ? [row] : [row, `  ${' '.repeat(width)}  ${' '.repeat(9)}  → ${next}`]
}

const ADVICE: Partial<Record<ErrorCode, string>> = {
  tls: 'set tls.ca_file to the authority that signed it, or tls.fingerprint_sha256 to this very certificate',
  unreachable: 'is the address right? Look at DNS, routes and firewalls between here and there',
  timeout: 'something drops packets, or the server is overloaded: look at firewalls, or raise request_timeout',
  throttled: 'the server, or a proxy in front of it, is overloaded or answers in its place: try again in a minute',
  permission: 'give the account a role that may do this',
  config: 'the message names the key or the file',
  protocol: 'is this address really such a system, and not a proxy or a portal?',
  store: 'the user that runs opswire must own this directory',
}

const REFUSED: Readonly<Record<Part['kind'], string>> = {
  apic: 'check username, login_domain and the password, in this order; do not try often, accounts get locked',
  raas: 'check username, config_name and the password, or the token in its file',
  vcd: 'check org and the API token: a token that rotates is used up by whoever shows it first',
  nats: 'check the credentials in the nats block, and the account on the server',
  here: '',
}

function adviceFor(kind: Part['kind'], { name, code }: ProbeStep): string | undefined {
  if (code === 'auth_refused') return REFUSED[kind]
  if (code === 'bug' || code === undefined) return 'this should not happen; please report it'
  if (name === 'http.listen')
    return 'another program has the port, or the address is not of this machine: change http.listen'
  if (name === 'socket') return 'a proxy on the way may not pass WebSockets on: pushes can not come through'
  if (code === 'permission' && name.startsWith('read '))
    return 'give the account a role that may read this, or take it out of the config'
  if (code === 'sink' && name === 'connect') return 'is nats-server running there? nats.servers, DNS, firewalls'
  return ADVICE[code]
}
