/** The three kinds of error. Each carries a stable code; `error-codes.ts` says of each what it means to an operator. */

/** Codes are stable: operators match on them in logs, `/status` and metrics. */
export type ErrorCode =
  | 'auth_refused' // the source says the credentials are wrong
  | 'permission' // logged in, but not allowed to ask this
  | 'config' // the source can't work as configured
  | 'tls' // certificate refused, fingerprint differs
  | 'unreachable' // no connection, reset, DNS
  | 'timeout' // no answer in time
  | 'throttled' // 429, 503, HTML from the proxy in front
  | 'protocol' // an answer that the protocol does not allow here
  | 'session_lost' // token or session over
  | 'subscription_lost' // one APIC subscription lapsed, was refused or is mute; the session goes on
  | 'socket_lost' // WebSocket closed, silent or forgotten by the server
  | 'too_large' // answer over a ceiling
  | 'store' // the local store failed
  | 'sink' // the broker is away or refuses
  | 'poison' // one message that can't be understood
  | 'bug' // should not happen: report it

interface Options {
  readonly cause?: unknown
}

/** Works no more until a person changes something (credentials, config, rights). Retried at most every 5 minutes. */
export class Fatal extends Error {
  readonly code: ErrorCode
  constructor(code: ErrorCode, message: string, options?: Options) {
    super(message, options)
    this.name = 'Fatal'
    this.code = code
  }
}

/** No wish of another side to be left alone is heeded for longer than this, ms: a mistake in a page must not cost a day. */
const LONGEST_AFTER_MS = 5 * 60_000

/** Will pass: try again, after `afterMs` if the other side named a time. Whatever it named, that is 0 to 5 minutes. */
export class Retryable extends Error {
  readonly code: ErrorCode
  readonly afterMs: number | undefined
  constructor(code: ErrorCode, message: string, options?: Options & { readonly afterMs?: number }) {
    super(message, options)
    this.name = 'Retryable'
    this.code = code
    const afterMs = options?.afterMs
    this.afterMs =
      afterMs === undefined || Number.isNaN(afterMs) ? undefined : Math.min(Math.max(0, afterMs), LONGEST_AFTER_MS)
  }
}

/** This one message will never be understood: keep it as a dead letter and go on. */
export class Poison extends Error {
  readonly code: ErrorCode = 'poison'
  constructor(message: string, options?: Options) {
    super(message, options)
    this.name = 'Poison'
  }
}

/** The machine lacks what it may have again in a moment: files, memory, room on a disk. Nothing is wrong with the file. */
const PASSING: ReadonlySet<unknown> = new Set([
  'EAGAIN',
  'EBUSY',
  'EDQUOT',
  'EINTR',
  'EIO',
  'EMFILE',
  'ENFILE',
  'ENOMEM',
  'ENOSPC',
  'ESTALE',
])

/**
 * What it means that a file could not be read or made: `Fatal(code)`, for somebody must mend it, unless the machine is only
 * short of something now; then `Retryable('store')`.
 */
export function fileError(code: ErrorCode, message: string, cause: unknown): Fatal | Retryable {
  const isPassing = PASSING.has((cause as { code?: unknown } | null)?.code)
  return isPassing ? new Retryable('store', message, { cause }) : new Fatal(code, message, { cause })
}

/** The code of any thrown thing; what nobody classified is a bug of ours. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof Fatal || error instanceof Retryable || error instanceof Poison ? error.code : 'bug'
}

/** One line for logs and status: the message and the messages of its causes. */
export function describe(error: unknown): string {
  const parts: string[] = []
  let at: unknown = error
  while (at instanceof Error && parts.length < 4) {
    if (at.message !== '' && !parts.some(part => part.includes((at as Error).message))) parts.push(at.message)
    at = at.cause
  }
  return parts.length > 0 ? parts.join(': ') : String(error)
}
