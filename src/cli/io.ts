/** What a command sees of the process it runs in. Only `main` knows the process itself. */
import type { Readable, Writable } from 'node:stream'
import { styleText } from 'node:util'
import type { Clock } from '../scheduler/clock.ts'

/** Standard input; on a terminal it can be told not to show what is typed. */
export type CliInput = Readable & { readonly isTTY?: boolean; setRawMode?(raw: boolean): unknown }

export interface CliIo {
  readonly stdout: Writable
  /** Logs and complaints. */
  readonly stderr: Writable
  readonly env: Readonly<Record<string, string | undefined>>
  /** True when stdout is a terminal. */
  readonly isTty: boolean
  /** True when stderr is a terminal: progress may be shown there. */
  readonly stderrIsTty?: boolean
  /** Absent: nothing can be asked of anybody. */
  readonly stdin?: CliInput
  /** Width of the terminal; 80 when it is none. */
  readonly columns: number
  /** Height of the terminal; absent when it is none. */
  readonly rows?: number
  /** Ends commands that go on until they are stopped (`status --watch`); absent: the signal ends the process. */
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

/** A command: resolves with the exit code (design: 0 clean, 64, 69, 70, 75, 77, 78). */
export interface Command {
  run(args: string[], io: CliIo): Promise<number>
}

export const EXIT = { ok: 0, usage: 64, unavailable: 69, bug: 70, forced: 75, refused: 77, config: 78 } as const

export type Paint = (style: 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', text: string) => string

/** Colours on a terminal, and not when NO_COLOR says otherwise (no-color.org: any text that is not empty). */
export function painter(io: CliIo): Paint {
  const colourful = io.isTty && (io.env['NO_COLOR'] ?? '') === ''
  return colourful ? (style, text) => styleText(style, text, { validateStream: false }) : (_, text) => text
}

/** The command line itself is wrong. Exit code 64. */
export class UsageError extends Error {
  /** The command whose help says it right. */
  readonly command: string | undefined
  constructor(message: string, command?: string) {
    super(message)
    this.name = 'UsageError'
    this.command = command
  }
}
