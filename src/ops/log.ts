/** The log: JSON lines on stderr, always. The only file that imports pino. */
import { pino } from 'pino'
import type { Clock } from '../scheduler/clock.ts'
import { printable } from './text.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error'

/** Flat on purpose: no objects, so that no error, event or config block is ever printed by accident. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

export interface Log {
  /** True when lines of this level are written: ask before building a costly one. */
  enabled(level: LogLevel): boolean
  /** From now on lines of this level and above are written. */
  setLevel(level: LogLevel): void
  /** Writes one line. Every text is made printable and what looks like a secret is masked. Never throws. */
  write(level: LogLevel, message: string, fields?: LogFields): void
}

export interface LogOptions {
  readonly level: LogLevel
  readonly clock: Clock
  /** Takes the lines instead of stderr; each ends with a line feed. */
  readonly sink?: ((line: string) => void) | undefined
}

/** Lines are few (one per transition), so they are written at once: nothing is lost when the process dies. */
export function createLog(options: LogOptions): Log {
  const { clock, sink } = options
  const logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date(clock.wall()).toISOString()}"`,
      formatters: { level: label => ({ level: label }) },
    },
    sink === undefined ? stderr() : { write: sink },
  )
  return {
    setLevel(level) {
      logger.level = level
    },
    enabled: level => logger.isLevelEnabled(level),
    write(level, message, fields = {}) {
      if (!logger.isLevelEnabled(level)) return
      const clean: Record<string, string | number | boolean> = {}
      for (const [name, value] of Object.entries(fields)) {
        if (value !== undefined) clean[name] = typeof value === 'string' ? printable(value) : value
      }
      logger[level](clean, printable(message))
    },
  }
}

function stderr() {
  const stream = pino.destination({ dest: 2, sync: true })
  // A full disk behind stderr must not end a daemon whose work is going well.
  stream.on('error', () => undefined)
  return stream
}
