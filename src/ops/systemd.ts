/** Telling systemd: ready, what it does, stopping, still alive (sd_notify(3), Type=notify). */
import { spawn } from 'node:child_process'
import { describe } from '../errors.ts'
import { nativeCalls } from '../native-calls.ts'
import { type Cancel, type Clock, systemMonotonicUsec } from '../scheduler/clock.ts'
import { printable } from './text.ts'

/** Without a watchdog the status line is looked at this often. */
const TICK_MS = 10_000
/** How long `close` waits for the last message to be on its way. */
const LAST_WORD_MS = 2_000

export interface NotifyOptions {
  readonly clock: Clock
  /** The watchdog is fed while this is true. */
  readonly healthy: () => boolean
  /** The line for `systemctl status`; sent when it changed. */
  readonly summary: () => string
  /** Told once when systemd can't be told. */
  readonly onProblem: (text: string) => void
  readonly env?: Readonly<Record<string, string | undefined>>
  /** The library to call `sd_notify` in. */
  readonly library?: string
}

export interface Notifier {
  /** False outside systemd: then every call does nothing. */
  readonly active: boolean
  /** HTTP and store stand. Starts feeding the watchdog, if there is one. Never waits for a source. */
  ready(): void
  /** The config is read again; `ready` says that this is over, whatever came of it. */
  reloading(): void
  /** A graceful stop has begun. The watchdog is fed on. */
  stopping(): void
  /** Ends the feeding; resolves when the last message is on its way (2 s at most). */
  close(): Promise<void>
}

/** Takes `NAME=value` lines. Returns at once, whatever becomes of them. */
type Send = (lines: readonly string[]) => void

/**
 * Speaks to systemd when NOTIFY_SOCKET is set: by libsystemd through node:ffi (0.4 ms, with our own PID), else by
 * `systemd-notify --no-block` children, which need NotifyAccess=all. Node has no unix datagram socket of its own.
 */
export function createNotifier(options: NotifyOptions): Notifier {
  const { clock, healthy, summary, onProblem } = options
  const env = options.env ?? process.env
  if (env['NOTIFY_SOCKET'] === undefined || env['NOTIFY_SOCKET'] === '') {
    const nothing = (): void => undefined
    return { active: false, ready: nothing, reloading: nothing, stopping: nothing, close: async () => undefined }
  }
  const children = new Children(env, onProblem)
  const send: Send = byLibrary(options.library ?? 'libsystemd.so.0', children) ?? (lines => children.send(lines))
  const watchdogMs = watchdogOf(env)
  const everyMs = watchdogMs === undefined ? TICK_MS : watchdogMs / 2
  let cancel: Cancel = () => undefined
  let shown = ''
  const tick = (): void => {
    const lines: string[] = []
    const line = printable(summary(), 200)
    if (line !== shown) lines.push(`STATUS=${line}`)
    shown = line
    if (watchdogMs !== undefined && healthy()) lines.push('WATCHDOG=1')
    if (lines.length > 0) send(lines)
    cancel = clock.after(everyMs, tick)
  }
  return {
    active: true,
    ready() {
      send(['READY=1'])
      cancel()
      tick()
    },
    // What systemd from 253 on wants with it; older ones don't mind.
    reloading: () => send(['RELOADING=1', `MONOTONIC_USEC=${systemMonotonicUsec()}`]),
    stopping: () => send(['STOPPING=1', 'STATUS=stopping']),
    close() {
      cancel()
      return children.drained(clock)
    },
  }
}

/** Ms within which systemd wants to hear from us; undefined without a watchdog, or when it is meant for another process. */
function watchdogOf(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const pid = env['WATCHDOG_PID']
  if (pid !== undefined && pid !== '' && pid !== String(process.pid)) return undefined
  const microseconds = Number(env['WATCHDOG_USEC'])
  return Number.isFinite(microseconds) && microseconds > 0 ? microseconds / 1000 : undefined
}

/** `sd_notify` of libsystemd; undefined where there is no such library, or no node:ffi. */
function byLibrary(library: string, otherwise: Children): Send | undefined {
  try {
    // Held as a whole: the functions are good only while the library is not collected.
    const opened = nativeCalls().dlopen(library, { sd_notify: { arguments: ['i32', 'string'], return: 'i32' } })
    return lines => {
      // Negative: not sent. Above 0: sent. The environment is left alone (first argument), children may need it.
      if (opened.functions.sd_notify(0, lines.join('\n')) < 0) otherwise.send(lines)
    }
  } catch {
    return undefined
  }
}

/** `systemd-notify` processes, one at a time: two at once may arrive in the wrong order. */
class Children {
  readonly #env: Readonly<Record<string, string | undefined>>
  readonly #onProblem: (text: string) => void
  /** A message each. */
  #waiting: string[][] = []
  #running = false
  #broken = false
  #onIdle: (() => void)[] = []

  constructor(env: Readonly<Record<string, string | undefined>>, onProblem: (text: string) => void) {
    this.#env = env
    this.#onProblem = onProblem
  }

  send(lines: readonly string[]): void {
    if (this.#broken) return
    // What is told anew replaces what has not been told yet, but for the begin and the end of a reload, which are an order.
    const last = this.#waiting.at(-1)
    if (last === undefined || isOrdered(last) || isOrdered(lines)) this.#waiting.push([...lines])
    else {
      const names = new Set(lines.map(nameOf))
      this.#waiting[this.#waiting.length - 1] = [...last.filter(line => !names.has(nameOf(line))), ...lines]
    }
    this.#next()
  }

  /** Resolves when every message is out, or after 2 s. */
  drained(clock: Clock): Promise<void> {
    if (!this.#running) return Promise.resolve()
    return new Promise(resolve => {
      const cancel = clock.after(LAST_WORD_MS, resolve)
      this.#onIdle.push(() => {
        cancel()
        resolve()
      })
    })
  }

  #next(): void {
    if (this.#running) return
    const lines = this.#waiting.shift()
    if (lines === undefined) {
      for (const callback of this.#onIdle.splice(0)) callback()
      return
    }
    this.#running = true
    const child = spawn('systemd-notify', ['--no-block', ...lines], { stdio: 'ignore', env: { ...this.#env } })
    const done = (problem?: string): void => {
      if (!this.#running) return
      this.#running = false
      if (problem !== undefined && !this.#broken) {
        this.#broken = true
        this.#waiting = []
        this.#onProblem(`systemd can't be told: ${problem}`)
      }
      this.#next()
    }
    child.once('error', error => done(describe(error)))
    child.once('exit', code => done(code === 0 ? undefined : `systemd-notify ended with ${code}`))
  }
}

function nameOf(line: string): string {
  return line.slice(0, line.indexOf('='))
}

function isOrdered(lines: readonly string[]): boolean {
  return lines.some(line => line === 'READY=1' || line === 'RELOADING=1')
}
